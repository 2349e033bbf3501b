import { MantineProvider, localStorageColorSchemeManager } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { theme } from '../look/theme.ts';
import { toAppError } from '../../src/shared/errors.ts';
import { Frame } from './Frame.tsx';

const RETRYABLE = new Set(['network-down', 'timeout', 'busy']);

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: 'always',
      refetchOnWindowFocus: false,
      staleTime: 2000,
      retry: (count, error) => count < 2 && RETRYABLE.has(toAppError(error).code),
    },
    mutations: { networkMode: 'always' },
  },
});

const colourScheme = localStorageColorSchemeManager({ key: 'commonwatt-colour-scheme' });

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" colorSchemeManager={colourScheme}>
      <QueryClientProvider client={queries}>
        <Notifications position="bottom-right" limit={4} containerWidth={380} />
        <Frame />
      </QueryClientProvider>
    </MantineProvider>
  );
}
