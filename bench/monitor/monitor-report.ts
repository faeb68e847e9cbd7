import { table, thousands, type Requirement } from '../figures.ts';
import type { MonitorCost } from './monitor-cost.ts';
import type { Change } from './refresh-cost.ts';

/** What keeping accuracy up to date costs, as tables in Markdown. */
export function monitorTables({
  predictions,
  refreshes,
  materialisedMs,
  small,
  views,
  nightly,
  kept,
}: MonitorCost): string[] {
  return [
    `Accuracy of ${thousands(predictions)} predictions over 120 days, nine tenths of them labelled; the labels that change are spread over all days. Of those that arrive two in a hundred are corrections, one in two hundred is withdrawn.`,
    table(
      ['labels changed', 'cells, ms', 'metrics such as AUC, ms', 'REFRESH MATERIALIZED VIEW takes'],
      refreshes.map(({ labels, change, cellsMs, metricsMs }) => [
        named(labels, change),
        cellsMs.toFixed(1),
        metricsMs.toFixed(0),
        `${thousands(materialisedMs)} ms, ${thousands(materialisedMs / cellsMs)} times`,
      ]),
    ),
    `Over a history of ${thousands(small.predictions)} predictions, ${thousands(small.cost.labels)} labels that arrive: ${small.cost.cellsMs.toFixed(1)} ms.`,
    nightly === null
      ? 'Nightly runs were not measured: the server runs elsewhere.'
      : `A nightly run of ${thousands(nightly.rows)} rows takes ${nightly.runCpuSeconds.toFixed(2)} CPU-seconds, the refresh that counts, keeps and closes it ${nightly.refreshCpuSeconds.toFixed(2)}.`,
    `${thousands(kept.nights)} nights of ${thousands(kept.entities)} entities: ${kept.bytesPerPrediction.toFixed(1)} bytes a prediction, ${kept.lateBytesPerPrediction.toFixed(1)} with late => '90 days'; ${kept.freshMicroseconds.toFixed(0)} µs of CPU time for a label of the last night, ${kept.lateMicroseconds.toFixed(0)} for one of a year ago.`,
    'The slowest answers to one model and its last 90 days; of the scores one day, of the predictions themselves a thousand.',
    table(
      ['view, or question of the page', 'rows', 'ms'],
      views.slice(0, SLOWEST).map(({ name, rows, ms }) => [name, thousands(rows), ms.toFixed(0)]),
    ),
  ];
}

const SLOWEST = 8;
const MOST_ANSWER_MS = 100;

const MOST_MS: ReadonlyMap<number, number> = new Map([
  [0, 15],
  [100, 30],
  [10_000, 500],
  [100_000, 4000],
]);

function named(labels: number, change: Change): string {
  return labels === 0 ? '0' : `${thousands(labels)} ${change}`;
}

/** What is asked of refreshes, and whether these results meet it. */
export function monitorRequirements({ refreshes, small, views, nightly, kept }: MonitorCost): Requirement[] {
  const [slowest] = views;
  const compared = refreshes.find(({ labels, change }) => labels === small.cost.labels && change === small.cost.change);
  const ratio = compared === undefined ? undefined : compared.cellsMs / small.cost.cellsMs;
  return [
    ...refreshes.flatMap(({ labels, change, cellsMs }) => {
      const most = MOST_MS.get(labels);
      if (most === undefined) return [];
      const what = labels === 0 ? 'with nothing to do' : `of ${named(labels, change)} labels`;
      return [
        {
          what: `a refresh ${what} in under ${thousands(most)} ms`,
          measured: `${cellsMs.toFixed(1)} ms`,
          met: cellsMs < most,
        },
      ];
    }),
    {
      what: 'a nightly run at most 1.6 times of what it costs without counting, keeping and closing',
      measured: nightly === null ? 'not measured' : `${nightly.ratio.toFixed(2)} times`,
      met: nightly === null ? null : nightly.ratio <= 1.6,
    },
    {
      what: '400 nights of a million predictions in under 8 GB',
      measured: `${((400 * kept.bytesPerPrediction) / 1000).toFixed(1)} GB`,
      met: 400 * kept.bytesPerPrediction < 8000,
    },
    {
      what: "the same with late => '90 days' in under 2 GB",
      measured: `${((400 * kept.lateBytesPerPrediction) / 1000).toFixed(1)} GB`,
      met: 400 * kept.lateBytesPerPrediction < 2000,
    },
    {
      what: 'the same labels over ten times the history at most twice as long',
      measured: ratio === undefined ? 'not measured' : `${ratio.toFixed(2)} times`,
      met: ratio === undefined ? null : ratio <= 2,
    },
    {
      what: `nothing that an analyst asks over ${MOST_ANSWER_MS} ms`,
      measured: slowest === undefined ? 'not measured' : `${slowest.ms.toFixed(0)} ms (${slowest.name})`,
      met: slowest === undefined ? null : slowest.ms <= MOST_ANSWER_MS,
    },
  ];
}
