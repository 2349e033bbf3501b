import { LoadingRows } from '../../parts/Blank.tsx';
import { useNetwork, useWalletStatus } from '../../state/status.ts';
import { Balances } from './Balances.tsx';
import { History } from './History.tsx';
import { Keys } from './Keys.tsx';
import { NewWallet } from './NewWallet.tsx';
import { Policy } from './Policy.tsx';

export function WalletScreen() {
  const wallet = useWalletStatus();
  const network = useNetwork();
  if (!wallet || !network) return <LoadingRows lines={6} label="Loading the wallet" />;
  if (!wallet.exists) return <NewWallet />;
  return (
    <div className="wallet-grid">
      <div className="wallet-main">
        <Balances locked={wallet.locked} practice={network.practice} address={wallet.address} />
        <History />
      </div>
      <div className="wallet-side">
        <Keys wallet={wallet} />
        <Policy tokens={network.tokens} />
      </div>
    </div>
  );
}
