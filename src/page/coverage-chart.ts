import { number, text, type Row } from './api.ts';
import { breakMarks } from './break-mark.ts';
import { withBreaks } from './breaks.ts';
import type { ChartConfiguration } from './chart.ts';
import { compact, count, day } from './format.ts';
import { markersPlugin } from './markers.ts';
import { colour, colourOf, tint } from './theme.ts';
import { atOf, dateOf, timeAxis } from './time-axis.ts';

/** More of them would be a comb. */
const MOST_BARS = 90;

/** How long labels took: each column counts those of the ones before it, too. */
const DELAYS = [
  ['known within a day', 'n_labeled_1_day', 1],
  ['within 7 days', 'n_labeled_7_days', 0.72],
  ['within 30 days', 'n_labeled_30_days', 0.52],
  ['within 90 days', 'n_labeled_90_days', 0.36],
  ['later', 'n_labeled', 0.24],
] as const;

type Part = { readonly label: string; readonly background: string; readonly of: (row: Row) => number };

/** Predictions by day: those whose truth is known by how long it took, and those whose is not; a line where days cease to be mature. */
export function coverageChart(days: readonly Row[], version: number, frontier: Row | undefined): ChartConfiguration {
  const times = days.map((row) => timeOf(row));
  const rows = withBreaks(days, timeOf, (time) => ({ window_date: dateOf(time) }));
  return {
    type: rows.length > MOST_BARS ? 'line' : 'bar',
    data: { datasets: partsOf(days, version).map((part) => bars(part, rows)) },
    options: {
      interaction: { mode: 'index', intersect: false, axis: 'x' },
      scales: {
        x: { ...timeAxis(times), stacked: true },
        y: {
          stacked: true,
          beginAtZero: true,
          ticks: { maxTicksLimit: 5, callback: (value) => compact(Number(value)) },
        },
      },
      plugins: {
        legend: { display: true, position: 'bottom' },
        tooltip: {
          callbacks: {
            title: ([item]) => day(dateOf(item?.parsed.x ?? 0)),
            label: ({ dataset, parsed }) => `${dataset.label ?? ''}: ${count(parsed.y)}`,
          },
        },
      },
    },
    plugins: [
      markersPlugin(frontier === undefined ? [] : [{ at: timeOf(frontier), label: 'not mature' }]),
      breakMarks(times),
    ],
  } as ChartConfiguration;
}

function timeOf(row: Row): number {
  return atOf(text(row, 'window_date'));
}

/** Delays that no label had are left out. */
function partsOf(days: readonly Row[], version: number): Part[] {
  const counted = (row: Row, column: string): number => number(row, column) ?? 0;
  const delays = DELAYS.map(([label, column, share], at) => {
    const before = DELAYS[at - 1]?.[1];
    const of = (row: Row): number => counted(row, column) - (before === undefined ? 0 : counted(row, before));
    return { label, background: tint(colourOf(version), share), of };
  });
  const superseded = (row: Row): number => counted(row, 'n_superseded');
  const unknown = (row: Row): number => counted(row, 'n_predictions') - counted(row, 'n_labeled') - superseded(row);
  const hasAny = ({ of }: Part): boolean => days.some((row) => of(row) > 0);
  return [
    ...delays.filter(hasAny),
    { label: 'not yet known', background: tint(colour('quiet'), 0.3), of: unknown },
    ...[{ label: 'superseded', background: tint(colour('quiet'), 0.12), of: superseded }].filter(hasAny),
  ];
}

function bars({ label, background, of }: Part, rows: readonly Row[]) {
  return {
    label,
    stack: 'predictions',
    fill: true,
    stepped: 'middle' as const,
    pointRadius: 0,
    borderWidth: 0,
    data: rows.map((row) => ({ x: timeOf(row), y: of(row) })),
    backgroundColor: background,
    maxBarThickness: 34,
    barPercentage: 1,
    categoryPercentage: 1,
  };
}
