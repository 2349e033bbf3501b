import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import { useTable } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState, type CSSProperties, type KeyboardEvent } from 'react';
import type { Offer } from '../../../src/api/contract.ts';
import { columns, features, cellClass, gridTracks, LOOKS } from './columns.tsx';
import type { Sort, SortKey } from './MarketScreen.tsx';

interface OfferTableProps {
  offers: Offer[];
  sort: Sort;
  onSort: (sort: Sort) => void;
  onOpen: (offer: Offer) => void;
  chosen: string | null;
  stale: boolean;
  /** The last rows came into view. */
  onEnd: () => void;
}

const ROW = 36;
const PAGE_ROWS = 12;

/** Every offer found, only the visible rows built. Arrows move, Enter opens. */
export function OfferTable({ offers, sort, onSort, onOpen, chosen, stale, onEnd }: OfferTableProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const table = useTable({ features, columns, data: offers, getRowId: (offer) => offer.offerId });
  const { rows } = table.getRowModel();
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (lastShown >= rows.length - PAGE_ROWS) onEnd();
    // A new page changes rows.length; the callback itself changes with every render.
    // eslint-disable-next-line react/exhaustive-deps
  }, [lastShown, rows.length]);

  const current = Math.min(active, rows.length - 1);
  const move = (to: number) => {
    const index = Math.max(0, Math.min(rows.length - 1, to));
    setActive(index);
    virtual.scrollToIndex(index);
    requestAnimationFrame(() =>
      scroller.current?.querySelector<HTMLElement>(`[data-index="${index}"]`)?.focus({ preventScroll: true }),
    );
  };
  const onKey = (event: KeyboardEvent, offer: Offer) => {
    const to = {
      ArrowDown: current + 1,
      ArrowUp: current - 1,
      Home: 0,
      End: rows.length - 1,
      PageDown: current + PAGE_ROWS,
      PageUp: current - PAGE_ROWS,
    }[event.key];
    if (event.key === 'ArrowUp' && current === 0) document.getElementById('market-search')?.focus();
    else if (to !== undefined) move(to);
    else if (event.key === 'Enter' || event.key === ' ') onOpen(offer);
    else return;
    // Enter would also press the button that the drawer focuses.
    event.preventDefault();
  };

  return (
    <div className={stale ? 'table table-stale' : 'table'} style={{ '--rows': rows.length } as CSSProperties}>
      <div
        ref={scroller}
        className="table-scroll"
        role="grid"
        aria-label="Offers"
        aria-rowcount={rows.length + 1}
        aria-colcount={columns.length}
        aria-busy={stale}
      >
        <div className="table-inner" style={gridTracks}>
          {table.getHeaderGroups().map((group) => (
            <div key={group.id} role="row" aria-rowindex={1} className="table-head">
              {group.headers.map((header) => (
                <HeaderCell key={header.id} id={header.id} sort={sort} onSort={onSort}>
                  {String(header.column.columnDef.header)}
                </HeaderCell>
              ))}
            </div>
          ))}
          <div role="rowgroup" className="table-body" style={{ height: virtual.getTotalSize() }}>
            {items.map((item) => {
              const row = rows[item.index];
              if (!row) return null;
              return (
                <div
                  key={row.id}
                  role="row"
                  data-offer-row
                  data-index={item.index}
                  aria-rowindex={item.index + 2}
                  aria-selected={row.id === chosen}
                  tabIndex={item.index === current ? 0 : -1}
                  className="table-row"
                  style={{ transform: `translateY(${item.start}px)` }}
                  onFocus={() => setActive(item.index)}
                  onClick={() => onOpen(row.original)}
                  onKeyDown={(event) => onKey(event, row.original)}
                >
                  {row.getAllCells().map((cell) => (
                    <div key={cell.id} role="gridcell" className={cellClass(cell.column.id)}>
                      <table.FlexRender cell={cell} />
                    </div>
                  ))}
                </div>
              );
            })}
          </div>
        </div>
      </div>
    </div>
  );
}

interface HeaderCellProps {
  id: string;
  sort: Sort;
  onSort: (sort: Sort) => void;
  children: string;
}

function HeaderCell({ id, sort, onSort, children }: HeaderCellProps) {
  const look = LOOKS[id];
  const key: SortKey | undefined = look?.sort;
  const sorted = key === sort.key;
  const direction = sort.descending ? 'descending' : 'ascending';
  const Arrow = sort.descending ? IconArrowDown : IconArrowUp;
  return (
    <div role="columnheader" className={cellClass(id)} {...(sorted ? { 'aria-sort': direction } : {})}>
      {key === undefined ? (
        children
      ) : (
        <button type="button" onClick={() => onSort({ key, descending: sorted ? !sort.descending : false })}>
          {children}
          {sorted ? <Arrow size={14} aria-hidden /> : null}
        </button>
      )}
    </div>
  );
}
