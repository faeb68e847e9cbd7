import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { readServed } from '../versions/read-artifact.ts';
import { deployToFirstRow } from './first-row.ts';
import { LimitMeter, type Limit, type Scored } from './limit.ts';
import { describeMachine } from './machine.ts';
import { peakScorerMemory } from './memory.ts';
import type { BenchPlan } from './plan.ts';
import type { BenchResults } from './results.ts';
import { RIVALS, rivalsMissing, runRival } from './rivals.ts';
import { measureLatency } from './single-runs.ts';
import { makeSource } from './source-table.ts';
import { spreadOf } from './spread.ts';
import { asOwner, asRequester, setStage, type Stage, type StageOptions } from './stage.ts';
import { measureSustained } from './sustained-runs.ts';
import { measureThroughput, type Throughput } from './throughput.ts';

const SUBMITTERS = 4;
const SCHEMA = 'pgscore_bench';

export type BenchOptions = StageOptions & {
  readonly plan: BenchPlan;
  readonly python: string;
  readonly tell: (line: string) => void;
};

/** Sets the stage, measures everything in one run, and takes the stage down again. */
export async function bench(options: BenchOptions): Promise<BenchResults> {
  options.tell('starting a server and a service');
  const stage = await setStage(options);
  const [requester, owner] = await Promise.all([asRequester(stage), asOwner(stage)]);
  try {
    return await measureAll(options, stage, requester, owner);
  } finally {
    await Promise.all([requester.end(), owner.end()]);
    await stage.close();
  }
}

async function measureAll(
  { plan, python, tell }: BenchOptions,
  stage: Stage,
  requester: pg.Client,
  owner: pg.Client,
): Promise<BenchResults> {
  await makeSource(requester, 'one_row', 1);
  tell('a model file to its first scored row');
  const firstRowSeconds = await deployToFirstRow(requester, 'one_row');
  tell('runs of one row, one after the other');
  const latency = await measureLatency(requester, 'one_row', plan.singleRuns);
  tell(`${plan.rate} runs of one row a second for ${plan.rateSeconds} s`);
  const sustained = await sustain(stage, owner, plan);
  tell(`a table of ${plan.rows} rows`);
  await makeSource(requester, 'source', plan.rows);
  const rounds = await measureRounds(stage, requester, owner, plan, tell);
  const rivals = await measureRivals(stage, requester, owner, plan, python, tell);
  const memoryMib = await measureMemory(stage, requester, plan, tell);
  const limits = rounds.flatMap(({ limit }) => (limit === undefined ? [] : [limit]));
  const shares = rounds.flatMap(({ own, limit }) =>
    limit === undefined ? [] : [own.rowsPerSecond / limit.rowsPerSecond],
  );
  const middle = rounds.toSorted((a, b) => a.own.rowsPerSecond - b.own.rowsPerSecond)[Math.floor(rounds.length / 2)]
    ?.own;
  return {
    measuredAt: new Date().toISOString().slice(0, 10),
    machine: describeMachine(stage.version),
    plan,
    firstRowSeconds,
    rowsPerSecond: spreadOf(rounds.map(({ own }) => own.rowsPerSecond)),
    scorerCpuSeconds: middle?.scorerCpuSeconds ?? 0,
    allCpuSeconds: middle?.allCpuSeconds ?? 0,
    limit: limits.toSorted((a, b) => a.rowsPerSecond - b.rowsPerSecond)[Math.floor(limits.length / 2)] ?? null,
    ofLimit: shares.length === 0 ? null : spreadOf(shares),
    memoryMib,
    latency,
    sustained,
    ...rivals,
  };
}

async function sustain(stage: Stage, owner: pg.Client, plan: BenchPlan): Promise<BenchResults['sustained']> {
  const submitters = await Promise.all(
    Array.from({ length: SUBMITTERS }, async (_, index) => {
      const client = await asRequester(stage);
      await makeSource(client, `one_row_${index}`, 1);
      return { client, source: `one_row_${index}` };
    }),
  );
  try {
    return await measureSustained(submitters, owner, plan.rate, plan.rateSeconds);
  } finally {
    await Promise.all(submitters.map(({ client }) => client.end()));
  }
}

type Round = { readonly own: Throughput; readonly limit: Limit | undefined };

/** pgscore and its limit in turns, so that whatever else the machine does meets both. */
async function measureRounds(
  stage: Stage,
  requester: pg.Client,
  owner: pg.Client,
  plan: BenchPlan,
  tell: (line: string) => void,
): Promise<Round[]> {
  await measureThroughput(requester, stage.service, 'source', plan.rows);
  const scored = await scoredBy(owner, plan.rows);
  const meter = await LimitMeter.prepare(stage.ownerUrl, availableParallelism(), scored);
  const rounds: Round[] = [];
  try {
    for (let round = 1; round <= plan.rounds; round += 1) {
      tell(`round ${round} of ${plan.rounds}: pgscore, then its limit`);
      const own = await measureThroughput(requester, stage.service, 'source', plan.rows);
      rounds.push({ own, limit: await meter?.measure() });
    }
  } finally {
    await meter?.end();
  }
  return rounds;
}

async function scoredBy(owner: pg.Client, rows: number): Promise<Scored> {
  const found = await owner.query<{ version_id: number; target_id: number; generation: number }>(
    `select r.version_id, r.target_id, r.generation from pgscore_data.run r where r.source_name = 'source' and r.state = 'done' order by r.run_id desc limit 1`,
  );
  const [run] = found.rows;
  if (run === undefined) throw new Error('no run over the source is done');
  return {
    source: `${SCHEMA}.source`,
    rows,
    versionId: run.version_id,
    target: { id: run.target_id, generation: run.generation },
  };
}

type RivalResults = Pick<BenchResults, 'rivals' | 'rivalsMissing'>;

async function measureRivals(
  stage: Stage,
  requester: pg.Client,
  owner: pg.Client,
  plan: BenchPlan,
  python: string,
  tell: (line: string) => void,
): Promise<RivalResults> {
  const missing = await rivalsMissing(python);
  if (missing !== undefined) return { rivals: [], rivalsMissing: missing };
  await makeSource(requester, 'few', plan.fewRows);
  const folder = await mkdtemp(join(tmpdir(), 'pgscore-bench-'));
  const model = join(folder, 'served.onnx');
  const rivals: BenchResults['rivals'][number][] = [];
  try {
    const { versionId } = await scoredBy(owner, plan.rows);
    await writeFile(model, (await readServed(owner, versionId)) ?? Buffer.alloc(0));
    for (const [index, rival] of RIVALS.entries()) {
      tell(rival.name);
      const source = rival.fewRows ? 'few' : 'source';
      const task = {
        python,
        url: stage.requesterUrl,
        schema: SCHEMA,
        source,
        target: `rival_${index}`,
        model,
        cores: availableParallelism(),
      };
      rivals.push({
        name: rival.name,
        rows: rival.fewRows ? plan.fewRows : plan.rows,
        rowsPerSecond: await runRival(rival, task),
      });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return { rivals, rivalsMissing: null };
}

async function measureMemory(
  stage: Stage,
  requester: pg.Client,
  plan: BenchPlan,
  tell: (line: string) => void,
): Promise<BenchResults['memoryMib']> {
  const small = await peakScorerMemory(requester, stage.service, 'source');
  tell(`a table of ${plan.largeRows} rows`);
  await makeSource(requester, 'large', plan.largeRows);
  return [
    { rows: plan.rows, peak: small },
    { rows: plan.largeRows, peak: await peakScorerMemory(requester, stage.service, 'large') },
  ];
}
