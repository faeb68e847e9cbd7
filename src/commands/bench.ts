import { writeFile } from 'node:fs/promises';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { Part } from '../bench/bench.ts';
import type { BenchResults } from '../bench/results.ts';
import { setting } from '../config.ts';
import { invocation } from './invocation.ts';
import { numberOption, settingOption } from './options.ts';

const DESCRIPTION = `Measures pgscore beside its limit and beside Python, in one run, on this machine.

Starts an embedded PostgreSQL, or makes a database in the one that is named, and scores a table of a bigint key and 20
real columns with 100 trees of depth 6. The limit is the CPU time that nothing can spare - the server's COPY out of the
table, ONNX Runtime alone, the server's COPY in with the index - spread over the cores. The Python ways need a python
with the packages of bench/rivals/requirements.txt and are skipped without.

score() inside of queries is measured with the same model: calls of one client and of 16 through the service, µs a row of
compiled models, score_rows(). Its rival is PL/Python with onnxruntime, in the same server or the one that --plpython names.
Refreshes of accuracy are measured over 10 million predictions, which take some five minutes to make, nightly runs of a
million rows, and 400 nights that are kept. What was measured is written after each part, and printed also where a later one fails.
Needs a quiet machine; --only measures one part.`;

type BenchFlags = { only?: Part; plpython?: string; rows?: number; quick?: boolean; python: string; out?: string };

export function addBench(program: Command): void {
  program
    .command('bench')
    .summary('measure how fast it is here')
    .description(DESCRIPTION)
    .option('--rows <n>', 'rows of the table (default: 1,000,000)', numberOption('--rows'))
    .addOption(
      new Option(
        '--only <part>',
        'measure one part: a service that has nothing to do, whole tables, score() inside of queries, or keeping accuracy up to date',
      ).choices(['idle', 'tables', 'score', 'monitor'] satisfies Part[]),
    )
    .option('--quick', 'a smoke test over 50,000 rows: whether it runs, not how fast')
    .option('--python <path>', 'python for the rivals', 'python3')
    .option('--plpython <url>', 'a server with plpython3u, as superuser, for that rival of score()')
    .option('--out <file>', 'also write the results to this file, as JSON')
    .option('--json', 'print the results as one JSON document')
    .addOption(settingOption('databaseUrl'))
    .addOption(settingOption('servicePassword'))
    .addOption(settingOption('readerPassword'))
    .action(runBench);
}

async function runBench(options: BenchFlags, command: Command): Promise<void> {
  const { flags, output } = invocation(command);
  // Loaded here, so that no other command waits for it.
  const { bench, PARTS } = await import('../bench/bench.ts');
  const { FULL, QUICK, withRows } = await import('../bench/plan.ts');
  const { reportOf } = await import('../bench/report.ts');
  const plan = options.quick === true ? QUICK : FULL;
  let measured: BenchResults | undefined;
  const keep = async (results: BenchResults): Promise<void> => {
    measured = results;
    if (options.out !== undefined) await writeFile(options.out, `${JSON.stringify(results, null, 2)}\n`);
  };
  const measure = bench({
    url: setting('databaseUrl', flags),
    servicePassword: setting('servicePassword', flags),
    readerPassword: setting('readerPassword', flags),
    plan: options.rows === undefined ? plan : withRows(plan, options.rows),
    parts: options.only === undefined ? PARTS : [options.only],
    python: options.python,
    plpythonUrl: options.plpython,
    tell: (line) => output.note(`bench: ${line}`),
    keep,
  });
  await measure.finally(() => {
    const results = measured;
    if (results !== undefined) output.result(results, () => reportOf(results));
  });
}
