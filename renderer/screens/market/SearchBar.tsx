import { ActionIcon, Switch, TextInput } from '@mantine/core';
import { IconSearch, IconX } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';
import { Choice } from '../../parts/Choice.tsx';
import { useSearchWish } from '../../state/search-wish.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import { readFilters, setFilter, setFree, type FilterKey } from '../../view/market-query.ts';

interface SearchBarProps {
  query: string;
  onQuery: (query: string) => void;
  total: number | null | undefined;
  tookMs: number | undefined;
}

const GPUS = ['RTX 3090', 'RTX 4090', 'RTX 5090', 'A100', 'H100', 'H200', 'CPU'];
const VRAM = ['8', '12', '16', '24', '48', '80'];
const REGIONS = ['EU', 'US', 'AS'];

const options = (any: string, values: string[], label: (value: string) => string, current = '') => [
  { value: '', label: any },
  ...[...new Set([...values, ...(current === '' ? [] : [current])])].map((value) => ({ value, label: label(value) })),
];

/** One line to type in, and the same by mouse: both edit the same words. */
export function SearchBar({ query, onQuery, total, tookMs }: SearchBarProps) {
  const filters = readFilters(query);
  const change = (key: FilterKey) => (value: string) => onQuery(setFilter(query, key, value));
  const shown = (text: string) => plainText(text, 24);
  const field = useFocusWhenWished();
  return (
    <search className="search">
      <TextInput
        ref={field}
        id="market-search"
        aria-label="Search offers"
        aria-describedby="search-help"
        className="search-line"
        placeholder={'gpu:"RTX 3090" vram>=24 price<0.5 region:EU'}
        value={query}
        maxLength={500}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onQuery(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape' && query !== '') onQuery('');
          if (event.key === 'ArrowDown') {
            event.preventDefault();
            document.querySelector<HTMLElement>('[data-offer-row][tabindex="0"]')?.focus();
          }
        }}
        leftSection={<IconSearch size={18} stroke={1.75} aria-hidden />}
        rightSection={
          query === '' ? (
            <kbd aria-hidden>/</kbd>
          ) : (
            <ActionIcon size={28} aria-label="Clear the search" onClick={() => onQuery('')}>
              <IconX size={16} />
            </ActionIcon>
          )
        }
      />
      <div className="filters" role="group" aria-label="Filters">
        <Choice
          hideLabel
          label="Card"
          value={filters.gpu ?? ''}
          onChange={change('gpu')}
          options={options('Any card', GPUS, shown, filters.gpu)}
        />
        <Choice
          hideLabel
          label="Memory"
          value={filters.vram ?? ''}
          onChange={change('vram')}
          options={options('Any memory', VRAM, (value) => `${shown(value)} GB or more`, filters.vram)}
        />
        <Choice
          hideLabel
          label="Region"
          value={filters.region ?? ''}
          onChange={change('region')}
          options={options('Any region', REGIONS, shown, filters.region)}
        />
        <TextInput
          aria-label="Highest price per hour"
          placeholder="Any price"
          value={filters.price ?? ''}
          onChange={(event) => change('price')(event.currentTarget.value.replaceAll(/[^\d.]/g, ''))}
          inputMode="decimal"
          leftSection={<span className="unit">under</span>}
          leftSectionWidth={52}
          rightSection={<span className="unit">/ h</span>}
          className="price-filter"
        />
        <Switch
          label="Free now"
          checked={filters.free}
          onChange={(event) => onQuery(setFree(query, event.currentTarget.checked))}
        />
        <p className="result-count" role="status" id="search-help">
          {total === undefined
            ? ''
            : total === null
              ? 'More than 3,000 offers'
              : `${total.toLocaleString('en')} ${total === 1 ? 'offer' : 'offers'}`}
          {tookMs === undefined ? null : <span aria-hidden> · {tookMs < 1 ? '<1' : Math.round(tookMs)} ms</span>}
        </p>
      </div>
    </search>
  );
}

function useFocusWhenWished() {
  const field = useRef<HTMLInputElement>(null);
  const wanted = useSearchWish((wish) => wish.wanted);
  useEffect(() => {
    if (!wanted) return undefined;
    // Once the frame has put the focus into the new screen.
    const timer = setTimeout(() => {
      field.current?.focus();
      useSearchWish.setState({ wanted: false });
    });
    return () => clearTimeout(timer);
  }, [wanted]);
  return field;
}
