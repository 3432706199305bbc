/** A small chart over time, drawn by uPlot in the page's colours. Charts of one `group` share their cursor. */

import { createEffect, createSignal, on, onCleanup, onMount } from 'solid-js';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Span } from '../api.ts';
import { clockText } from '../format.ts';

export type ChartLine = {
  readonly label: string;
  /** One a tick; null is not known. */
  readonly values: readonly (number | null)[];
  /** Name of a colour: `--good`. */
  readonly colour: string;
};

const heightPixels = 130;

export function Chart(props: {
  readonly title: string;
  readonly group: string;
  readonly timesMs: readonly number[];
  readonly lines: readonly ChartLine[];
  /** Shaded: when there was nothing. */
  readonly gaps: readonly Span[];
  readonly text: (value: number) => string;
  /** Begins the axis at 0. */
  readonly isFromZero: boolean;
  /** The axis reaches at least so far, so that its words differ. */
  readonly reachMin?: number;
}) {
  let frame: HTMLDivElement | undefined;
  let chart: uPlot | undefined;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const [scheme, setScheme] = createSignal(dark.matches);
  const onScheme = () => setScheme(dark.matches);
  dark.addEventListener('change', onScheme);

  const data = (): uPlot.AlignedData => [
    props.timesMs.map((atMs) => atMs / 1_000),
    ...props.lines.map((line) => line.values.slice() as (number | null)[]),
  ];
  const make = () => {
    chart?.destroy();
    if (frame === undefined) return;
    const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const axis = { stroke: colour('--quiet'), ticks: { show: false }, font: '11px system-ui, sans-serif' };
    const grid = { stroke: colour('--edge'), width: 1 };
    chart = new uPlot(
      {
        width: Math.max(200, frame.clientWidth),
        height: heightPixels,
        cursor: { sync: { key: props.group }, y: false },
        legend: { live: true },
        scales: {
          y: {
            range: (_, min, max) =>
              props.isFromZero ? [0, Math.max(props.reachMin ?? 1, max * 1.15)] : padded(min, max),
          },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            size: 24,
            values: (_, ticks) => ticks.map((seconds) => clockText(seconds * 1_000).slice(0, 5)),
          },
          { ...axis, grid, size: 62, values: (_, ticks) => ticks.map(props.text) },
        ],
        series: [
          { value: '{HH}:{mm}:{ss}' },
          ...props.lines.map(({ label, colour: name }) => ({
            label,
            stroke: colour(name),
            width: 1.5,
            points: { show: false },
            value: (_: uPlot, value: number | null) => (value == null ? '–' : props.text(value)),
          })),
        ],
        hooks: { drawClear: [(own) => shade(own, { gaps: props.gaps, colour: colour('--gap') })] },
      },
      data(),
      frame,
    );
  };
  onMount(() => {
    make();
    if (frame === undefined) return;
    const watcher = new ResizeObserver(() => {
      if (frame !== undefined) chart?.setSize({ width: Math.max(200, frame.clientWidth), height: heightPixels });
    });
    watcher.observe(frame);
    onCleanup(() => watcher.disconnect());
  });
  createEffect(on([scheme, () => props.lines.length], make, { defer: true }));
  createEffect(
    on([() => props.timesMs, () => props.lines, () => props.gaps], () => chart?.setData(data()), { defer: true }),
  );
  onCleanup(() => {
    dark.removeEventListener('change', onScheme);
    chart?.destroy();
  });
  return (
    <figure class="chart">
      <figcaption>{props.title}</figcaption>
      <div
        ref={(element) => {
          frame = element;
        }}
      />
    </figure>
  );
}

function padded(min: number | null, max: number | null): [number, number] {
  if (min == null || max == null) return [-1, 1];
  const margin = Math.max(1, (max - min) * 0.15);
  return [min - margin, max + margin];
}

function shade(chart: uPlot, { gaps, colour }: { readonly gaps: readonly Span[]; readonly colour: string }): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.fillStyle = colour;
  ctx.globalAlpha = 0.28;
  for (const { beginMs, endMs } of gaps) {
    const left = Math.max(bbox.left, chart.valToPos(beginMs / 1_000, 'x', true));
    const right = Math.min(bbox.left + bbox.width, chart.valToPos(endMs / 1_000, 'x', true));
    if (right > left) ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
  }
  ctx.restore();
}
