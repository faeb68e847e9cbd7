import { citusTable } from './citus.ts';
import { spread, table, thousands } from './figures.ts';
import { monitorTables } from './monitor/monitor-report.ts';
import type { BenchPlan } from './plan.ts';
import { requirements, type BenchResults, type TableResults } from './results.ts';
import { networkTable } from './tables/networks.ts';
import { watchTables } from './watch.ts';
import { callTables } from './score/score-report.ts';
import { shadowTable } from './score/shadow.ts';

/** The results as tables in Markdown, which a terminal shows as well as a page does. */
export function reportOf(results: BenchResults): string {
  const { machine, plan, tables, networks, calls, shadow, watch, monitor, citus } = results;
  return [
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGib} GiB; ${machine.system}; Node ${machine.node}; PostgreSQL ${machine.postgresql}; ${results.measuredAt}.`,
    ...(tables === null ? [] : runTables(tables, plan)),
    ...(networks === null ? [] : [networkTable(networks)]),
    ...(calls === null ? [] : callTables(calls)),
    ...(shadow === null ? [] : [shadowTable(shadow)]),
    ...(watch === null ? [] : watchTables(watch)),
    ...(monitor === null ? [] : monitorTables(monitor)),
    ...(citus === null ? [] : [citusTable(citus)]),
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

function runTables(results: TableResults, plan: BenchPlan): string[] {
  const { limit, allCpuSeconds } = results;
  return [
    `${thousands(plan.rows)} rows of a bigint key and 20 real columns; 100 trees of depth 6.`,
    table(['way', 'rows/s'], waysOf(results)),
    limit === null
      ? 'The limit was not measured: the server runs elsewhere.'
      : table(
          ['CPU-seconds', 'for all rows'],
          [
            ['COPY out of the source', limit.copyOutCpuSeconds.toFixed(2)],
            ['ONNX Runtime alone', limit.inferenceCpuSeconds.toFixed(2)],
            ['COPY in of the predictions, with the index', limit.copyInCpuSeconds.toFixed(2)],
            ['the model as pgscore computes it: trees, walked', limit.ownInferenceCpuSeconds.toFixed(2)],
            ['spent by pgscore and the server in a run', allCpuSeconds.toFixed(2)],
          ],
        ),
  ];
}

function waysOf({ rowsPerSecond, limit, rivals, rivalsMissing }: TableResults): string[][] {
  return [
    ['pgscore', spread(rowsPerSecond)],
    ...(limit === null
      ? []
      : [['its limit: the CPU time below, spread over the cores', thousands(limit.rowsPerSecond)]]),
    ...rivals.map((rival) => [rival.name, thousands(rival.rowsPerSecond)]),
    ...(rivalsMissing === null ? [] : [[`the Python ways: skipped (${rivalsMissing})`, '']]),
  ];
}
