import type { ApiOutputs } from '../../api/contract.ts';
import type { ApiServices } from '../../api/services.ts';
import { depositFor } from '../../shared/money.ts';
import { AppError } from '../../shared/errors.ts';
import { PRACTICE_IMAGE } from '../../runtime/create-options.ts';
import type { Practice, Rooms } from '../rooms.ts';

export function practiceServices(rooms: Rooms): ApiServices['practice'] {
  const practice = (): Practice => {
    if (rooms.practice) return rooms.practice;
    throw new AppError('unsupported', 'There is a practice neighbour on the practice network only.');
  };
  const view = (): ApiOutputs['practice']['neighbour'] => practice().neighbour.state.value;
  return {
    neighbour: async () => view(),
    startNeighbour: async () => {
      await practice().neighbour.start();
      return view();
    },
    stopNeighbour: async () => {
      await practice().neighbour.stop();
      return view();
    },
    rentMine: async ({ seconds }) => {
      const { offerId, state } = rooms.sharing.state.value;
      if (state !== 'on' || !offerId) {
        throw new AppError('conflict', 'This computer does not share yet.', { next: 'Turn sharing on first.' });
      }
      const offer = rooms.chain.offer(offerId);
      if (!offer)
        throw new AppError('not-found', 'The offer is not on the market yet.', { next: 'Try again in a moment.' });
      const client = practice().neighbour.client();
      const quote = await client.market.quote({ offerId, seconds });
      if (quote.missing !== '0') {
        const amount = depositFor(offer.price, offer.unit, seconds) * 2n;
        await client.wallet.deposit({ commandId: crypto.randomUUID(), token: offer.token, amount: `${amount}` });
      }
      const { rentalId } = await client.rentals.open({
        commandId: crypto.randomUUID(),
        offerId,
        seconds,
        spec: { image: PRACTICE_IMAGE, ports: [8080], internet: false },
      });
      return { rentalId };
    },
  };
}
