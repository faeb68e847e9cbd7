/** Measures pgscore beside its limit and its rivals: `npm run bench -- --help`. */
import { writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { countOption, flagsOf, settingOption } from '../src/commands/options.ts';
import { setting } from '../src/config.ts';
import { bench, ON_CITUS, PARTS, type Part } from './bench.ts';
import { FULL, QUICK, withRows } from './plan.ts';
import { reportOf } from './report.ts';
import type { BenchResults } from './results.ts';

const DESCRIPTION = `Measures pgscore beside its limit and its rivals, in one run, on this machine. Needs a quiet machine.

Starts an embedded PostgreSQL, or makes a database in the one that --database-url names. The table has a bigint key and 20
real columns, the model 100 trees of depth 6. docs/benchmarks.md says what each part measures.

The Python rivals need a Python with the packages of bench/rivals/requirements.txt. The PL/Python rival needs a server with
plpython3u, and onnxruntime in its Python. Rivals that cannot run are skipped. The results are written after each part, and
printed even if a later part fails.`;

type BenchFlags = {
  only?: Part;
  plpython?: string;
  rows?: number;
  quick?: boolean;
  python: string;
  out?: string;
  json?: boolean;
};

const program = new Command('npm run bench')
  .usage('-- [options]')
  .description(DESCRIPTION.replaceAll(/(?<!\n)\n(?!\n)/g, ' '))
  .helpOption('--help', 'print this help')
  .addOption(countOption('--rows <n>', 'rows of the table (default: 1,000,000)'))
  .addOption(
    new Option(
      '--only <part>',
      'measure one part: an idle service, whole tables, tables scored by networks, score() inside of queries, keeping accuracy up to date, or tables of Citus, in the database that --database-url names',
    ).choices([...PARTS, ON_CITUS]),
  )
  .option('--quick', 'a smoke test over few rows: whether it runs, not how fast')
  .option('--python <path>', 'python for the rivals', 'python3')
  .option('--plpython <url>', 'a server with plpython3u, as superuser, for that rival of score()')
  .option('--out <file>', 'also write the results to this file, as JSON')
  .option('--json', 'print the results as one JSON document')
  .addOption(settingOption('databaseUrl'))
  .addOption(settingOption('servicePassword'))
  .addOption(settingOption('readerPassword'))
  .action(run);
await program.parseAsync();

async function run(options: BenchFlags, command: Command): Promise<void> {
  const flags = flagsOf(command);
  const plan = options.quick === true ? QUICK : FULL;
  const measured: BenchResults[] = [];
  const keep = async (results: BenchResults): Promise<void> => {
    measured.push(results);
    if (options.out !== undefined) await writeFile(options.out, `${JSON.stringify(results, null, 2)}\n`);
  };
  try {
    await bench({
      url: setting('databaseUrl', flags),
      servicePassword: setting('servicePassword', flags),
      readerPassword: setting('readerPassword', flags),
      plan: options.rows === undefined ? plan : withRows(plan, options.rows),
      parts: options.only === undefined ? PARTS : [options.only],
      python: options.python,
      plpythonUrl: options.plpython,
      tell: (line) => void process.stderr.write(`bench: ${line}\n`),
      keep,
    });
  } finally {
    const last = measured.at(-1);
    if (last !== undefined) console.log(options.json === true ? JSON.stringify(last) : reportOf(last));
  }
}
