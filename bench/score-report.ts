import { spread, table, thousands } from './report-table.ts';
import type { ScoreCalls } from './score-calls.ts';
import type { Spread } from './spread.ts';

/** What score() costs, as tables in Markdown. */
export function callTables(calls: ScoreCalls): string[] {
  const { latency, rate, manyInOne, scoreRows, plpython, plpythonMissing } = calls;
  const { plain, scored, bare, native, unprepared } = latency;
  const milliseconds = ({ medianMs, p99Ms }: typeof plain): string[] => [medianMs.toFixed(3), p99Ms.toFixed(3)];
  const of = `${rate.clients} clients (${rate.tool})`;
  return [
    'score() inside of queries: the same 20 real columns and 100 trees of depth 6, or a logistic regression.',
    table(
      ['one client, one row a query', 'median ms', '99 % ms'],
      [
        ['the row by its key', ...milliseconds(plain)],
        ['the same with score() online', ...milliseconds(scored)],
        ['the bare exchange: its request by dblink_exec() in plain SQL, not logged', ...milliseconds(bare)],
        ['the same with score() of a bound table, native', ...milliseconds(native)],
        ['the row by its key, planned anew each time', ...milliseconds(unprepared.plain)],
        ['the same with score() online', ...milliseconds(unprepared.scored)],
      ],
    ),
    table(
      ['many clients', 'a second'],
      [
        [`calls of ${of}, online`, spread(rate.callsPerSecond)],
        ['bare exchanges of the same', spread(rate.barePerSecond)],
        ['calls of the same, table bound: native', spread(rate.nativePerSecond)],
        ...(plpython === null
          ? []
          : [
              [
                `the same by PL/Python and ONNX Runtime, PostgreSQL ${plpython.version}`,
                spread(plpython.callsPerSecond),
              ],
            ]),
        [`rows of ${of}, online, ${manyInOne.rows} rows a statement`, spread(manyInOne.rowsPerSecond)],
        ['rows of score_rows(), each logged', spread(scoreRows.logged)],
        ['rows of score_rows(), not logged', spread(scoreRows.unlogged)],
      ],
    ),
    ...rowTables(calls),
    ...(plpythonMissing === null ? [] : [`PL/Python and ONNX Runtime: not measured (${plpythonMissing}).`]),
  ];
}

function rowTables({ perRow, parallel, plpython }: ScoreCalls): string[] {
  const micros = ({ name, model }: { name: string; model: string }, measured: Spread): string[] => [
    name,
    model,
    spread(measured, model === 'trees' ? 1 : 3),
  ];
  const rival = 'PL/Python and ONNX Runtime';
  return [
    table(
      ['in one query, one process', 'model', 'µs a row over the scan'],
      [
        ...perRow.map((row) => micros(row.way, row.micros)),
        ...(plpython === null
          ? []
          : [
              micros({ name: rival, model: 'trees' }, plpython.micros),
              micros({ name: rival, model: 'logistic' }, plpython.logisticMicros),
            ]),
      ],
    ),
    table(
      [
        `in one query over ${thousands(parallel.rows)} rows, ${parallel.processes} processes as planned`,
        'model',
        'µs a row over the scan',
      ],
      parallel.ways.map((row) => micros(row.way, row.micros)),
    ),
  ];
}
