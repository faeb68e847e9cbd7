import type pg from 'pg';
import { spreadOf, type Spread } from '../figures.ts';
import type { BenchPlan } from '../plan.ts';
import { backendOf, cpuSecondsOf, cpuSecondsOfFamily, parentOf, residentBytes, settled } from '../processes.ts';
import type { ServiceProcess, Stage } from '../stage.ts';

/** The name under which bench/trees.onnx is deployed. */
export const MODEL = 'trees';

type EndedRun = { readonly run: string; readonly seconds: number; readonly scorerCpuSeconds: number };

/** Submits a run over a large table and waits until its predictions are visible; `seconds` is what the user waits. */
async function scoreTable(client: pg.Client, source: string, model = MODEL): Promise<EndedRun> {
  const began = performance.now();
  const submitted = await client.query<{ run: string }>('select pgscore.score_table($1, $2::regclass) as run', [
    model,
    source,
  ]);
  const run = submitted.rows[0]?.run ?? '';
  const wait = `call pgscore.wait_for_run(${Number(run)})`;
  await client.query(wait);
  const seconds = (performance.now() - began) / 1000;
  const { rows } = await client.query<{ cpu_seconds: number }>('select cpu_seconds from pgscore.runs where run = $1', [
    run,
  ]);
  return { run, seconds, scorerCpuSeconds: rows[0]?.cpu_seconds ?? 0 };
}

/** What one run over a table took. */
export type Throughput = {
  readonly run: string;
  readonly rowsPerSecond: number;
  readonly seconds: number;
  /** CPU time of the scorers during the run, as pgscore.runs has it. */
  readonly scorerCpuSeconds: number;
  /** CPU time of all that took part: the service with its scorers, and every process of the server on this machine. */
  readonly allCpuSeconds: number;
};

export async function measureThroughput(
  client: pg.Client,
  service: ServiceProcess,
  source: string,
  rows: number,
  model = MODEL,
): Promise<Throughput> {
  const postmaster = parentOf((await backendOf(client)) ?? 0) ?? 0;
  const spent = (): number =>
    [service.pid, ...service.scorerPids].reduce(
      (sum, pid) => sum + (cpuSecondsOf(pid) ?? 0),
      cpuSecondsOfFamily(postmaster),
    );
  const before = spent();
  const { run, seconds, scorerCpuSeconds } = await scoreTable(client, source, model);
  return { run, rowsPerSecond: rows / seconds, seconds, scorerCpuSeconds, allCpuSeconds: spent() - before };
}

/** The share of a run's CPU time that counting its features takes: runs with and without in turns, while nothing else goes on. */
export async function measureCounting(
  { stage, requester, owner }: { readonly stage: Stage; readonly requester: pg.Client; readonly owner: pg.Client },
  source: string,
  { rows, rounds }: Pick<BenchPlan, 'rows' | 'rounds'>,
): Promise<Spread> {
  const run = async (watched: boolean): Promise<number> => {
    await requester.query('select pgscore.monitor_features($1, watched => $2)', [MODEL, watched]);
    await settled(owner);
    return (await measureThroughput(requester, stage.service, source, rows)).allCpuSeconds;
  };
  const shares: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const without = await run(false);
    shares.push(1 - without / (await run(true)));
  }
  return spreadOf(shares);
}

const SAMPLE_MS = 50;
const MEBIBYTE = 2 ** 20;

/** The most resident memory that any scorer had during a run, in MiB, sampled. */
export async function peakScorerMemory(client: pg.Client, service: ServiceProcess, source: string): Promise<number> {
  let peak = 0;
  const sampler = setInterval(() => {
    peak = Math.max(peak, ...service.scorerPids.map(residentBytes));
  }, SAMPLE_MS);
  try {
    await scoreTable(client, source);
  } finally {
    clearInterval(sampler);
  }
  return peak / MEBIBYTE;
}
