import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type pg from 'pg';
import { saveVersion } from '../../src/models/load-version.ts';
import { TREES } from './small-runs.ts';

const run = promisify(execFile);

/** Another way to do the same work, as a script of bench/rivals. */
type Rival = {
  readonly name: string;
  readonly script: string;
  /** Too slow for all rows. */
  readonly slow: boolean;
  /** An expert exports without the ZipMap that the exporter adds by itself. */
  readonly graph: 'exported' | 'served';
};

const RIVALS: readonly Rival[] = [
  {
    name: 'a pandas script: fetchmany, predict, executemany',
    script: 'pandas_script.py',
    slow: true,
    graph: 'exported',
  },
  { name: 'the same with COPY for the write', script: 'pandas_copy.py', slow: true, graph: 'exported' },
  {
    name: "an expert's Python: binary COPY, numpy, a process a core",
    script: 'expert.py',
    slow: false,
    graph: 'served',
  },
];

type Table = { readonly source: string; readonly rows: number };

export type Ground = {
  readonly url: string;
  readonly schema: string;
  readonly all: Table;
  readonly few: Table;
  /** Reads the graph as pgscore serves it. */
  readonly owner: pg.Client;
  readonly versionId: number;
};

/** The rivals that can run here. */
export type Rivals = {
  /** Why there are none; null where there are. */
  readonly missing: string | null;
  readonly entered: readonly { readonly name: string; readonly rows: number }[];
  /** Runs each of them once; rows a second. */
  measure(): Promise<number[]>;
  end(): Promise<void>;
};

export async function assembleRivals(python: string, ground: Ground): Promise<Rivals> {
  const missing = await rivalsMissing(python);
  if (missing !== undefined) return { missing, entered: [], measure: async () => [], end: async () => undefined };
  const folder = await mkdtemp(join(tmpdir(), 'pgscore-bench-'));
  const served = join(folder, 'served.onnx');
  await saveVersion(ground.owner, ground.versionId, served);
  const measure = async (): Promise<number[]> => {
    const rates: number[] = [];
    for (const rival of RIVALS) {
      const { source } = tableOf(rival, ground);
      rates.push(await runRival(python, rival, ground, source, rival.graph === 'served' ? served : TREES));
    }
    return rates;
  };
  return {
    missing: null,
    entered: RIVALS.map((rival) => ({ name: rival.name, rows: tableOf(rival, ground).rows })),
    measure,
    end: () => rm(folder, { recursive: true, force: true }),
  };
}

function tableOf({ slow }: Rival, { all, few }: Ground): Table {
  return slow ? few : all;
}

/** Why the rivals cannot run with this Python; undefined where they can. */
async function rivalsMissing(python: string): Promise<string | undefined> {
  try {
    await run(python, ['-c', 'import numpy, onnxruntime, pandas, psycopg']);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : '';
    return reason === undefined || reason === '' ? `${python} does not run` : reason;
  }
}

/** Runs a rival over a table; rows a second of its own clock, which starts after its imports. */
async function runRival(
  python: string,
  { script }: Rival,
  { url, schema }: Ground,
  source: string,
  model: string,
): Promise<number> {
  const file = fileURLToPath(new URL(`../rivals/${script}`, import.meta.url));
  const flags = ['--url', url, '--schema', schema, '--source', source, '--target', 'rival', '--model', model];
  const { stdout } = await run(python, [file, ...flags, '--cores', String(availableParallelism())]);
  const { rows, seconds } = JSON.parse(stdout) as { rows: number; seconds: number };
  return rows / seconds;
}
