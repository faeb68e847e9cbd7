import { spread, table, thousands, type Requirement, type Spread } from '../figures.ts';
import type { ScoreCalls } from './score-calls.ts';

/** What score() costs, as tables in Markdown. */
export function callTables(calls: ScoreCalls): string[] {
  const { latency, rate, manyInOne, scoreRows, plpython, plpythonMissing } = calls;
  const { plain, scored, split, bare, native, unprepared } = latency;
  const milliseconds = ({ medianMs, p99Ms }: typeof plain): string[] => [medianMs.toFixed(3), p99Ms.toFixed(3)];
  const of = `${rate.clients} clients (${rate.tool})`;
  return [
    'score() inside of queries: the same 20 real columns and 100 trees of depth 6, or a logistic regression.',
    table(
      ['one client, one row a query', 'median ms', '99 % ms'],
      [
        ['the row by its key', ...milliseconds(plain)],
        ['the same with score() online', ...milliseconds(scored)],
        ['the same of a model in an experiment', ...milliseconds(split)],
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

/** What is asked of score(), and whether these results meet it. */
export function scoreRequirements(calls: ScoreCalls): Requirement[] {
  const { latency, rate, scoreRows } = calls;
  const over = latency.scored.medianMs - latency.plain.medianMs;
  const bare = latency.bare.medianMs - latency.plain.medianMs;
  const late = latency.scored.p99Ms - latency.plain.p99Ms;
  const [bound, typed, loose, jsonb] = calls.perRow.map(({ micros }) => micros.median);
  return [
    {
      what: 'score() online at most 0.2 ms over the query of the row at the median',
      measured: `${over.toFixed(3)} ms; ${late.toFixed(3)} ms at 99 %; the bare exchange ${bare.toFixed(3)} ms`,
      met: over <= 0.2,
    },
    {
      what: `at least 10,000 calls/s of ${rate.clients} clients`,
      measured: `${thousands(rate.callsPerSecond.median)}; bare exchanges ${thousands(rate.barePerSecond.median)}`,
      met: rate.callsPerSecond.median >= 10_000,
    },
    atLeast('at least 100,000 rows/s of score_rows()', scoreRows.logged.median, 100_000),
    atMost('100 trees at most 15 µs a row by score(), table bound', bound, 15, 1),
    atMost('and by the typed function', typed, 15, 1),
    atMost('score() of a row of another table at most 25 µs more', difference(loose, bound), 25, 1),
    atMost('score() of jsonb at most 25 µs more', difference(jsonb, bound), 25, 1),
    ...logisticRequirements(calls),
    ...againstPlpython(calls),
  ];
}

/** By the clock on all cores, as PostgreSQL plans a query of many rows; and what a row costs one process. */
function logisticRequirements({ parallel, perRow }: ScoreCalls): Requirement[] {
  const alone = perRow.filter(({ way }) => way.model === 'logistic').map(({ micros }) => micros.median);
  return parallel.ways.slice(0, 2).map(({ way, micros }, index) => ({
    ...atMost(`a logistic regression at most 0.15 µs a row by ${way.name}`, micros.median, 0.15, 3),
    measured: `${micros.median.toFixed(3)} µs by ${parallel.processes} processes; ${alone[index]?.toFixed(3)} by one, the bare sum of its products ${alone[2]?.toFixed(3)}`,
  }));
}

function againstPlpython({ plpython, perRow }: ScoreCalls): Requirement[] {
  const what = 'a bound model cheaper a row than PL/Python and ONNX Runtime';
  const logistic = perRow.find(({ way }) => way.model === 'logistic')?.micros.median;
  if (plpython === null || logistic === undefined) return [{ what, measured: 'not measured', met: null }];
  const ratio = plpython.logisticMicros.median / logistic;
  return [
    {
      what,
      measured: `trees ${plpython.rowRatio.median.toFixed(2)} times, logistic ${ratio.toFixed(0)}; calls/s online ${plpython.callsRatio.median.toFixed(2)} of its`,
      met: plpython.rowRatio.median > 1 && ratio > 1,
    },
  ];
}

function atLeast(what: string, value: number, least: number): Requirement {
  return { what, measured: thousands(value), met: value >= least };
}

function atMost(what: string, micros: number | undefined, most: number, digits: number): Requirement {
  return { what, measured: `${micros?.toFixed(digits)} µs`, met: micros === undefined ? null : micros <= most };
}

function difference(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one - other;
}
