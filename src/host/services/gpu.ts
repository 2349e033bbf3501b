import type { ApiServices } from '../../api/services.ts';
import type { Rooms } from '../rooms.ts';

export function gpuServices({ gpus }: Rooms): ApiServices['gpu'] {
  return {
    list: async () => [...gpus.devices],
    async *watch(_input, { signal }) {
      for await (const samples of gpus.watch(signal)) yield [...samples];
    },
  };
}
