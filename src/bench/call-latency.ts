import type pg from 'pg';
import { BARE } from './bare-exchange.ts';
import type { ScorePlan } from './plan.ts';
import { quantile } from './spread.ts';

/** One client that waits for each answer: a query for a row by its key, the same with score() of that row, and the bare exchange. Milliseconds. */
export type CallLatency = {
  readonly calls: number;
  readonly plain: Times;
  readonly scored: Times;
  readonly bare: Times;
};

type Times = { readonly medianMs: number; readonly p99Ms: number };

const PLAIN = 'select t.* from loose t where t.id = $1';
const SCORED = `select t.*, pgscore.score('trees', t) as score from loose t where t.id = $1`;
/** By then both sides have compiled what they run often. */
const WARM_UP = 500;

/** In turns, row by row, so that whatever else the machine does meets all of them. */
export async function measureCallLatency(
  client: pg.Client,
  owner: pg.Client,
  { singleCalls, tableRows }: ScorePlan,
): Promise<CallLatency> {
  const [plain, scored, bare]: [number[], number[], number[]] = [[], [], []];
  for (const one of [client, owner]) await one.query('set pgscore.execution = online');
  for (let call = 0; call < WARM_UP + singleCalls; call += 1) {
    const id = 1 + ((call * 7919) % tableRows);
    const times = [
      await timeOf(client, 'plain', PLAIN, id),
      await timeOf(client, 'scored', SCORED, id),
      await timeOf(owner, 'bare', BARE.call, id),
    ] as const;
    if (call < WARM_UP) continue;
    plain.push(times[0]);
    scored.push(times[1]);
    bare.push(times[2]);
  }
  for (const one of [client, owner]) await one.query('reset pgscore.execution');
  return { calls: singleCalls, plain: timesOf(plain), scored: timesOf(scored), bare: timesOf(bare) };
}

async function timeOf(client: pg.Client, name: string, text: string, id: number): Promise<number> {
  const began = performance.now();
  await client.query({ name, text, values: [id] });
  return performance.now() - began;
}

function timesOf(times: readonly number[]): Times {
  return { medianMs: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}
