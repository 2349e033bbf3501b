import { moneyView } from '../view/money-view.ts';

interface AmountProps {
  amount: bigint | string;
  token: { symbol: string; decimals: number };
  /** Digits behind the point; left out, 6 or (for tiny amounts) 9. */
  digits?: number;
  /** Follows the currency: "/ h". */
  per?: string;
  sign?: boolean;
  className?: string;
}

/** Money: tabular figures, always with its currency; the title holds every digit. */
export function Amount({ amount, token, digits, per, sign = false, className }: AmountProps) {
  const view = moneyView(amount, token, digits);
  const plus = sign && !view.number.startsWith('-') ? '+' : '';
  return (
    <span className={className === undefined ? 'amount' : `amount ${className}`} title={view.exact}>
      <span className="figure">
        {plus}
        {view.number.replace('-', '−')}
      </span>{' '}
      <span className="unit">
        {view.symbol}
        {per === undefined ? '' : ` / ${per}`}
      </span>
    </span>
  );
}
