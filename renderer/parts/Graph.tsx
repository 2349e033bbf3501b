import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import UPlot from 'uplot';

interface GraphProps {
  /** "GPU load": read out with the newest value. */
  label: string;
  unit: string;
  /** Unix seconds and values; null where the device did not say. */
  times: number[];
  values: (number | null)[];
  /** Upper end of the scale; it grows when values pass it. */
  top: number;
  format?: (value: number) => string;
}

const HEIGHT = 72;
const WINDOW_SECONDS = 120;
const plain = (value: number) => String(Math.round(value));

/** Two minutes of one reading. */
export function Graph({ label, unit, times, values, top, format = plain }: GraphProps) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const limit = useRef(top);
  const scheme = useComputedColorScheme('dark');
  const last = values.findLast((value) => value !== null) ?? null;

  useEffect(() => {
    const element = holder.current;
    if (!element) return undefined;
    const colour = (name: string) => getComputedStyle(element).getPropertyValue(name).trim();
    const made = new UPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        padding: [4, 0, 2, 0],
        cursor: { show: false },
        legend: { show: false },
        select: { show: false, left: 0, top: 0, width: 0, height: 0 },
        scales: {
          x: { time: false, range: (_, __, max) => [max - WINDOW_SECONDS, max] },
          y: { range: (_, __, max) => [0, Math.max(limit.current, max ?? 0)] },
        },
        axes: [
          { show: false },
          {
            show: true,
            size: 0,
            splits: (u) => [0, (u.scales['y']?.max ?? 0) / 2, u.scales['y']?.max ?? 0],
            values: () => [],
            grid: { stroke: colour('--line'), width: 1 },
            ticks: { show: false },
          },
        ],
        series: [
          {},
          {
            stroke: colour('--amber'),
            width: 1.5,
            fill: colour('--graph-fill'),
            points: { show: false },
            spanGaps: false,
          },
        ],
      },
      [[], []],
      element,
    );
    plot.current = made;
    const resize = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [scheme]);

  useEffect(() => {
    limit.current = top;
    plot.current?.setData([times, values]);
  }, [times, values, scheme, top]);

  return (
    <div className="graph">
      <div className="graph-head">
        <span>{label}</span>
        <span className="figure graph-now">
          {last === null ? '–' : format(last)} <span className="unit">{unit}</span>
        </span>
      </div>
      <div ref={holder} className="graph-plot" aria-hidden />
    </div>
  );
}
