import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Another way to do the same work, as a script of bench/rivals. */
export type Rival = { readonly name: string; readonly script: string; readonly fewRows: boolean };

export const RIVALS: readonly Rival[] = [
  { name: 'a pandas script: fetchmany, predict, executemany', script: 'pandas_script.py', fewRows: true },
  { name: 'the same with COPY for the write', script: 'pandas_copy.py', fewRows: true },
  { name: "an expert's Python: binary COPY, numpy, a process a core", script: 'expert.py', fewRows: false },
];

export type RivalTask = {
  readonly python: string;
  readonly url: string;
  readonly schema: string;
  readonly source: string;
  readonly target: string;
  /** The graph as pgscore serves it, so that nobody pays for ZipMap. */
  readonly model: string;
  readonly cores: number;
};

/** Why the rivals cannot run with this Python; undefined where they can. */
export async function rivalsMissing(python: string): Promise<string | undefined> {
  try {
    await run(python, ['-c', 'import numpy, onnxruntime, pandas, psycopg']);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : '';
    return reason === undefined || reason === '' ? `${python} does not run` : reason;
  }
}

/** Runs a rival over a table; rows a second of its own clock, which starts after its imports. */
export async function runRival({ script }: Rival, task: RivalTask): Promise<number> {
  const file = fileURLToPath(new URL(`../../bench/rivals/${script}`, import.meta.url));
  const { python, cores, ...named } = task;
  const flags = Object.entries(named).flatMap(([name, value]) => [`--${name}`, value]);
  const { stdout } = await run(python, [file, ...flags, '--cores', String(cores)]);
  const { rows, seconds } = JSON.parse(stdout) as { rows: number; seconds: number };
  return rows / seconds;
}
