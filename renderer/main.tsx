import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './look/styles.ts';
import { App } from './app/App.tsx';
import { startConnection } from './state/host-connection.ts';

const root = document.getElementById('root');
if (!root) throw new Error('The page has no #root.');
startConnection();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
