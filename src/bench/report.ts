import type { BenchResults } from './results.ts';
import { requirements } from './results.ts';
import type { Spread } from './spread.ts';

/** The results as tables in Markdown, which a terminal shows as well as a page does. */
export function reportOf(results: BenchResults): string {
  const { machine, plan, limit } = results;
  return [
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGib} GiB; ${machine.system}; Node ${machine.node}; PostgreSQL ${machine.postgresql}; ${results.measuredAt}.`,
    `${thousands(plan.rows)} rows of a bigint key and 20 real columns; 100 trees of depth 6.`,
    table(['way', 'rows/s'], waysOf(results)),
    limit === null
      ? 'The limit was not measured: the server runs elsewhere.'
      : table(
          ['CPU-seconds that nothing can spare', 'for all rows'],
          [
            ['COPY out of the source', limit.copyOutCpuSeconds.toFixed(2)],
            ['ONNX Runtime alone', limit.inferenceCpuSeconds.toFixed(2)],
            ['COPY in of the predictions, with the index', limit.copyInCpuSeconds.toFixed(2)],
            ['spent by pgscore and the server in a run', results.allCpuSeconds.toFixed(2)],
          ],
        ),
    table(
      ['required', 'measured', ''],
      requirements(results).map(({ what, measured, met }) => [
        what,
        measured,
        met === null ? '' : met ? 'met' : 'MISSED',
      ]),
    ),
  ].join('\n\n');
}

function waysOf({ rowsPerSecond, limit, rivals, rivalsMissing }: BenchResults): string[][] {
  return [
    ['pgscore', spread(rowsPerSecond)],
    ...(limit === null
      ? []
      : [['its limit: the CPU time below, spread over the cores', thousands(limit.rowsPerSecond)]]),
    ...rivals.map((rival) => [rival.name, thousands(rival.rowsPerSecond)]),
    ...(rivalsMissing === null ? [] : [[`the Python ways: skipped (${rivalsMissing})`, '']]),
  ];
}

function spread({ median, least, most }: Spread): string {
  return `${thousands(median)} (${thousands(least)} to ${thousands(most)})`;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
