import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, type KeyboardEvent, type ReactNode } from 'react';

interface LinkListProps<T> {
  label: string;
  items: readonly T[];
  idOf: (item: T) => string;
  hrefOf: (item: T) => string;
  /** Id of the one that is open. */
  current: string | null;
  children: (item: T) => ReactNode;
  /** The last ones are in view; a new function is asked again. */
  onEnd?: () => void;
}

const ROW = 94;
const NEAR_END = 8;

/** A list of places to go to, only the visible ones built. Arrows, Home and End move; Enter opens. */
export function LinkList<T>({ label, items, idOf, hrefOf, current, children, onEnd }: LinkListProps<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    getItemKey: (index) => idOf(items[index] as T),
    overscan: 6,
  });
  const rows = virtual.getVirtualItems();
  const lastShown = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (items.length > 0 && lastShown >= items.length - NEAR_END) onEnd?.();
  }, [lastShown, items.length, onEnd]);
  const openAt = items.findIndex((item) => idOf(item) === current);
  useEffect(() => {
    if (openAt >= 0) virtual.scrollToIndex(openAt);
    // Only when another one is opened, not when one's place changes: the reader may be looking elsewhere.
    // eslint-disable-next-line react/exhaustive-deps
  }, [current, openAt >= 0]);

  // A row that is far away is built some frames later, and gets the keyboard then.
  const wanted = useRef<number | null>(null);
  const focusWanted = () => {
    if (wanted.current === null) return;
    // Whoever went elsewhere meanwhile keeps the keyboard there.
    const { activeElement } = document;
    const isHere = activeElement === document.body || scroller.current?.contains(activeElement) === true;
    if (!isHere) {
      wanted.current = null;
      return;
    }
    const link = scroller.current?.querySelector<HTMLElement>(`[data-index="${wanted.current}"] a`);
    if (!link) return;
    wanted.current = null;
    link.focus({ preventScroll: true });
  };
  useEffect(focusWanted);
  const move = (to: number) => {
    wanted.current = Math.max(0, Math.min(items.length - 1, to));
    virtual.scrollToIndex(wanted.current);
    focusWanted();
  };
  const onKey = (event: KeyboardEvent) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>('[data-index]');
    const at = Number(row?.dataset['index'] ?? 0);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  };
  return (
    <div ref={scroller} className="link-scroll">
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- it only passes arrow keys on to its links */}
      <ul className="link-list" aria-label={label} style={{ height: virtual.getTotalSize() }} onKeyDown={onKey}>
        {rows.map(({ index, start, key }) => {
          const item = items[index] as T;
          return (
            <li
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              aria-setsize={items.length}
              aria-posinset={index + 1}
              style={{ transform: `translateY(${start}px)` }}
            >
              <a href={hrefOf(item)} {...(idOf(item) === current ? { 'aria-current': 'true' as const } : {})}>
                {children(item)}
              </a>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
