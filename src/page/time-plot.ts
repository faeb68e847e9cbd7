import { breakMarks } from './break-mark.ts';
import { withBreaks, breaksIn, isBreak, shortened, unshortened, type Break } from './breaks.ts';
import type { ChartConfiguration, ChartDataset, ChartOptions, TooltipItem, Scale as ScaleOfChart } from './chart.ts';
import { count, day } from './format.ts';
import { markersPlugin, type Marker } from './markers.ts';
import { colour, tint } from './theme.ts';

type Point = {
  readonly date: string;
  readonly value: number | null;
  readonly low?: number | null;
  readonly high?: number | null;
  /** Labels are few, or still arriving: drawn dashed, and its interval does not stretch the axis. */
  readonly unripe?: boolean;
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
  /** How many rows stand behind each window, drawn beneath. */
  readonly bars?: readonly { readonly date: string; readonly n: number }[];
};

type Line = ChartDataset<'line', { x: number; y: number | null }[]>;
const FEW_POINTS = 45;

/** Lines over time with their intervals as bands, and how many rows there were beneath. */
export function timePlot(given: TimePlot): ChartConfiguration {
  const times = given.series.flatMap(({ points }) => points.map(({ date }) => atOf(date)));
  const plot = { ...given, series: given.series.map((one) => ({ ...one, points: pointsWithBreaks(one.points) })) };
  const lines = plot.series.flatMap((series) => [...band(series), line(series)]);
  const bars = plot.bars === undefined ? [] : [barsOf(plot.bars)];
  return {
    type: 'line',
    data: { datasets: [...lines, ...bars] as ChartDataset[] },
    options: optionsOf(plot, times),
    plugins: [breakMarks(times), ...(plot.markers === undefined ? [] : [markersPlugin(plot.markers)])],
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
    pointBackgroundColor: points.map(({ unripe }) => (unripe === true ? colour('card') : stroke)),
    segment: {
      borderDash: ({ p1DataIndex }) => (points[p1DataIndex]?.unripe === true ? [4, 4] : undefined),
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
  return {
    interaction: { mode: 'index', intersect: false, axis: 'x' },
    scales: { x: timeAxis(times), ...(plot.bars === undefined ? {} : n), y },
    plugins: {
      ...(plot.legend === true ? { legend: { display: true, position: 'bottom' as const } } : {}),
      tooltip: {
        filter: ({ dataset }) => (dataset as Line).borderWidth !== 0,
        callbacks: { title: ([item]) => titleOf(item, plot.byMonth), label: (item) => lineOf(item, plot) },
      },
    },
  };
}

/** Room for all values and for the intervals of those that stand firm, from one round number to another. */
function rangeOf(series: readonly Series[]): { min?: number; max?: number; stepSize?: number } {
  const points = series.flatMap((one) => one.points);
  const known = points.flatMap(({ value, low, high, unripe }) => (unripe === true ? [value] : [value, low, high]));
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

function titleOf(item: TooltipItem<'line'> | undefined, byMonth: boolean): string {
  return day(dateOf(item?.parsed.x ?? 0), byMonth);
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

const DAY_MS = 86_400_000;
/** Of a label, and between two, in pixels. */
const [LABEL, GAP] = [62, 18];

type Scale = NonNullable<NonNullable<ChartOptions<'line'>['scales']>['x']>;

/** The instant that stands for a day on the axis. */
export function atOf(date: string): number {
  return Date.parse(`${date.slice(0, 10)}T00:00:00Z`);
}

export function dateOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/**
 * An axis of days without a date library: distances are true, but for breaks, and ticks stand at beginnings of days, months
 * or years.
 */
export function timeAxis(times: readonly number[]): Scale {
  const breaks = breaksIn(times);
  const [least, most] = [Math.min(...times), Math.max(...times)];
  const span = shortened(most, breaks) - shortened(least, breaks);
  const margin = Math.max(stepOf(times) / 2, span * 0.015);
  const ticks = ticksBetween(least, most, breaks);
  const byMonth = span > 75 * DAY_MS;
  // The library takes it that ticks go from end to end of the axis.
  const stretch = most > least ? (span + 2 * margin) / span : 1;
  return {
    type: 'linear',
    min: least - margin,
    max: most + margin,
    offset: false,
    grid: { display: false, offset: false },
    ...(breaks.length > 0 ? { beforeUpdate: (axis: ScaleOfChart) => leaveOut(axis, breaks) } : {}),
    afterBuildTicks: (axis) => {
      axis.ticks = ticks.map((value) => ({ value }));
    },
    ticks: {
      autoSkip: true,
      autoSkipPadding: (LABEL + GAP) * stretch - LABEL,
      maxRotation: 0,
      callback: (at) => day(dateOf(Number(at)), byMonth),
    },
  };
}

/** The least distance of two windows: room for half a bar at either end. */
function stepOf(times: readonly number[]): number {
  const sorted = [...new Set(times)].toSorted((one, other) => one - other);
  return Math.min(31 * DAY_MS, ...sorted.slice(1).map((time, at) => time - (sorted[at] ?? time)));
}

function ticksBetween(least: number, most: number, breaks: readonly Break[]): number[] {
  const all = Array.from({ length: (most - least) / DAY_MS + 1 }, (_, at) => least + at * DAY_MS);
  const days = all.filter((at) => !isBreak(at, breaks));
  if (days.length <= 75) return days;
  const firsts = days.filter((at) => new Date(at).getUTCDate() === 1);
  return firsts.length <= 40 ? firsts : firsts.filter((at) => new Date(at).getUTCMonth() === 0);
}

/** Has the library place times, and tell which lies where, as if there were less of each break. */
function leaveOut(axis: ScaleOfChart, breaks: readonly Break[]): void {
  const place = (time: number): number => shortened(time, breaks);
  axis.getPixelForValue = (time) =>
    axis.getPixelForDecimal((place(time) - place(axis.min)) / (place(axis.max) - place(axis.min)));
  axis.getValueForPixel = (pixel) => {
    const share = axis.getDecimalForPixel(pixel);
    return unshortened(place(axis.min) + share * (place(axis.max) - place(axis.min)), breaks);
  };
}
