import { breakMarks, markersPlugin, type Marker } from './markers.ts';
import { withBreaks } from './breaks.ts';
import type { ChartConfiguration, ChartDataset, ChartOptions, TooltipItem } from './chart.ts';
import { experimentBands, experimentMarkers, experimentsIn, lastOf, type Experiment } from './experiment-bands.ts';
import { count, day } from './format.ts';
import { colour, tint } from './theme.ts';
import { atOf, dateOf, timeAxis } from './time-axis.ts';

type Point = {
  readonly date: string;
  readonly value: number | null;
  readonly low?: number | null;
  readonly high?: number | null;
  /** Labels are few, or still arriving: drawn dashed, and its interval does not stretch the axis. */
  readonly immature?: boolean;
};

export type Series = {
  readonly label: string;
  readonly colour: string;
  readonly points: readonly Point[];
  /** Drawn dashed from end to end, as an estimate is. */
  readonly dashed?: boolean;
  /** A line without points. */
  readonly bare?: boolean;
};

type TimePlot = {
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  readonly byMonth: boolean;
  /** What the axis of values is of. */
  readonly axis?: string;
  /** Names the lines below the plot. */
  readonly legend?: true;
  readonly markers?: readonly Marker[];
  readonly experiments?: readonly Experiment[];
  /** How many rows stand behind each window, drawn beneath. */
  readonly bars?: readonly { readonly date: string; readonly n: number }[];
};

type Line = ChartDataset<'line', { x: number; y: number | null }[]>;
const FEW_POINTS = 45;

/** Lines over time with their intervals as bands, and how many rows there were beneath. */
export function timePlot(given: TimePlot): ChartConfiguration {
  const times = given.series.flatMap(({ points }) => points.map(({ date }) => atOf(date)));
  const plot = { ...given, series: given.series.map((one) => ({ ...one, points: pointsWithBreaks(one.points) })) };
  const { experiments = [] } = plot;
  const lines = plot.series.flatMap((series) => [...band(series), line(series)]);
  const bars = plot.bars === undefined ? [] : [barsOf(plot.bars)];
  return {
    type: 'line',
    data: { datasets: [...lines, ...bars] as ChartDataset[] },
    options: optionsOf(plot, times),
    plugins: [
      experimentBands(experiments),
      breakMarks(times),
      markersPlugin([...experimentMarkers(experiments), ...(plot.markers ?? [])]),
    ],
  } as ChartConfiguration;
}

function pointsWithBreaks(points: readonly Point[]): readonly Point[] {
  return withBreaks(
    points,
    ({ date }) => atOf(date),
    (time) => ({ date: dateOf(time), value: null }),
  );
}

function line({ label, colour: stroke, points, dashed = false, bare = false }: Series): Line {
  const few = points.length <= FEW_POINTS;
  return {
    label,
    yAxisID: 'y',
    data: points.map(({ date, value }) => ({ x: atOf(date), y: value })),
    borderColor: stroke,
    backgroundColor: stroke,
    borderWidth: 2,
    ...(dashed ? { borderDash: [2, 4] } : {}),
    pointRadius: few && !bare ? 3 : 0,
    pointHoverRadius: bare ? 0 : 5,
    pointBackgroundColor: points.map(({ immature }) => (immature === true ? colour('card') : stroke)),
    segment: {
      borderDash: ({ p1DataIndex }) => (points[p1DataIndex]?.immature === true ? [4, 4] : undefined),
    },
  };
}

/** The interval, as two lines that are not drawn with what lies between them. */
function band({ label, colour: stroke, points }: Series): Line[] {
  if (!points.some(({ low }) => typeof low === 'number')) return [];
  const edge = (name: string, value: (point: Point) => number | null | undefined, fill: string | boolean): Line => ({
    label: `${label} ${name}`,
    yAxisID: 'y',
    data: points.map((point) => ({ x: atOf(point.date), y: value(point) ?? null })),
    borderWidth: 0,
    pointRadius: 0,
    pointHoverRadius: 0,
    fill,
    backgroundColor: tint(stroke, 0.15),
  });
  return [edge('low', ({ low }) => low, false), edge('high', ({ high }) => high, '-1')];
}

function barsOf(bars: NonNullable<TimePlot['bars']>): ChartDataset {
  return {
    type: 'bar',
    label: 'labelled',
    yAxisID: 'n',
    data: bars.map(({ date, n }) => ({ x: atOf(date), y: n })),
    backgroundColor: tint(colour('quiet'), 0.35),
    maxBarThickness: 34,
    grouped: false,
  } as ChartDataset;
}

function optionsOf(plot: TimePlot, times: readonly number[]): ChartOptions<'line'> {
  const beneath = { stack: 'y', stackWeight: 1, beginAtZero: true, grace: '30%', grid: { display: false } };
  const { stepSize, ...range } = rangeOf(plot.series);
  const callback = (value: number | string): string => tickOf(plot.format(Number(value)));
  const ticks = { maxTicksLimit: 8, callback, ...(stepSize === undefined ? {} : { stepSize }) };
  const title = plot.axis === undefined ? {} : { title: { display: true, text: plot.axis } };
  const y = { stack: 'y', stackWeight: 4, ...range, ticks, ...title };
  const n = { n: { ...beneath, border: { display: false }, ticks: { display: false } } };
  const windows = [...new Set(times)].toSorted((one, other) => one - other);
  const footer = ([item]: TooltipItem<'line'>[]): string[] => footerOf(item, plot, windows);
  return {
    interaction: { mode: 'index', intersect: false, axis: 'x' },
    scales: { x: timeAxis(times, lastOf(plot.experiments ?? [])), ...(plot.bars === undefined ? {} : n), y },
    plugins: {
      ...(plot.legend === true ? { legend: { display: true, position: 'bottom' as const } } : {}),
      tooltip: {
        filter: ({ dataset }) => (dataset as Line).borderWidth !== 0,
        callbacks: {
          title: ([item]) => day(dateOf(item?.parsed.x ?? 0), plot.byMonth),
          label: (item) => lineOf(item, plot),
          footer,
        },
      },
    },
  };
}

/** Room for all values and for the intervals of those that stand firm, from one round number to another. */
function rangeOf(series: readonly Series[]): { min?: number; max?: number; stepSize?: number } {
  const points = series.flatMap((one) => one.points);
  const known = points.flatMap(({ value, low, high, immature }) => (immature === true ? [value] : [value, low, high]));
  const numbers = known.filter((value) => typeof value === 'number');
  if (numbers.length === 0) return {};
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const stepSize = roundStep((most - least || Math.abs(most) || 1) / 4);
  const max = Math.ceil(most / stepSize) * stepSize;
  // Most of what is below 1 can be no more.
  return { min: Math.floor(least / stepSize) * stepSize, max: most <= 1 ? Math.min(1, max) : max, stepSize };
}

/** The next of 1, 2, 5, 10 … at this magnitude. */
function roundStep(size: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(size));
  return magnitude * ([1, 2, 5].find((factor) => factor * magnitude >= size) ?? 10);
}

/** Without the digits that say nothing. */
function tickOf(text: string): string {
  return text.replace(/(\.\d*?)0+(?= |$)/, '$1').replace(/\.(?= |$)/, '');
}

function lineOf(item: TooltipItem<'line'>, { series, format: write }: TimePlot): string {
  const { label = '' } = item.dataset;
  const value = item.parsed.y;
  if (value === null) return label;
  const of = series.find((one) => one.label === label);
  if (of === undefined) return `${label}: ${count(value)}`;
  const { low, high } = of.points[item.dataIndex] ?? {};
  const interval = typeof low === 'number' && typeof high === 'number' ? ` (${write(low)} to ${write(high)})` : '';
  return `${label}: ${write(value)}${interval}`;
}

/** The experiments that were open in the window of an item. */
function footerOf(
  item: TooltipItem<'line'> | undefined,
  { experiments = [] }: TimePlot,
  windows: readonly number[],
): string[] {
  const from = item?.parsed.x;
  if (typeof from !== 'number') return [];
  return experimentsIn(experiments, from, windows.find((at) => at > from) ?? Infinity);
}
