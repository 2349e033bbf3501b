import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { Button } from '@mantine/core';
import { IconSearchOff } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import type { ApiInputs, Offer } from '../../../src/api/contract.ts';
import { NeighbourCard } from '../../app/Neighbour.tsx';
import { Blank, LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import { useLine } from '../../state/host-connection.ts';
import { goTo, usePlace } from '../../state/screen.ts';
import { OfferTable } from './OfferTable.tsx';
import { RentDrawer } from './RentDrawer.tsx';
import { SearchBar } from './SearchBar.tsx';

export type SortKey = NonNullable<ApiInputs['market']['search']['sort']>;
export interface Sort {
  key: SortKey;
  descending: boolean;
}

const PAGE = 200;
const REFRESH_MS = 10_000;

export function MarketScreen() {
  const [query, setQuery] = useState('');
  const [settled] = useDebouncedValue(query, 120);
  const [sort, setSort] = useState<Sort>({ key: 'price', descending: false });
  const search = useOffers(settled, sort);
  const offers = useMemo(() => search.data?.pages.flatMap((page) => page.offers) ?? [], [search.data]);
  const first = search.data?.pages[0];
  const chosen = usePlace((place) => place.id);
  const open = (offer: Offer) => goTo('market', offer.offerId);

  return (
    <>
      <SearchBar query={query} onQuery={setQuery} total={first?.total} tookMs={first?.tookMs} />
      <FailureNote
        error={search.error}
        action={
          <Button variant="default" size="xs" onClick={() => void search.refetch()}>
            Search again
          </Button>
        }
      />
      {search.isPending ? <LoadingRows lines={10} label="Loading offers" /> : null}
      {search.data && offers.length === 0 ? (
        <div className="panel market-empty">
          {query === '' ? (
            <>
              <Blank icon={IconSearchOff} title="No offers yet">
                Nobody shares a machine on this network at the moment.
              </Blank>
              <NeighbourCard purpose="rent-from" />
            </>
          ) : (
            <Blank
              icon={IconSearchOff}
              title="No offer matches"
              action={
                <Button variant="default" onClick={() => setQuery('')}>
                  Clear the search
                </Button>
              }
            >
              Take a filter away, or raise the price.
            </Blank>
          )}
        </div>
      ) : null}
      {offers.length > 0 ? (
        <OfferTable
          offers={offers}
          sort={sort}
          onSort={setSort}
          onOpen={open}
          chosen={chosen}
          stale={search.isPlaceholderData}
          onEnd={() => {
            if (search.hasNextPage && !search.isFetchingNextPage) void search.fetchNextPage();
          }}
        />
      ) : null}
      {offers.length > 0 && offers.length < 4 && query === '' ? <NeighbourCard purpose="rent-from" /> : null}
      <RentDrawer offerId={chosen} onClose={() => goTo('market')} />
    </>
  );
}

function useOffers(query: string, sort: Sort) {
  const connected = useLine((line) => line.state === 'open');
  return useInfiniteQuery(
    useApi().market.search.infiniteOptions({
      input: (cursor: string | undefined) => ({
        query,
        sort: sort.key,
        descending: sort.descending,
        limit: PAGE,
        ...(cursor === undefined ? {} : { cursor }),
      }),
      initialPageParam: undefined,
      getNextPageParam: (page) => page.cursor ?? undefined,
      placeholderData: keepPreviousData,
      refetchInterval: connected ? REFRESH_MS : false,
    }),
  );
}
