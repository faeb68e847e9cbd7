import type pg from 'pg';
import type { ScorePlan } from './plan.ts';
import { quantile } from './spread.ts';

/** One client that waits for each answer: a query for a row by its key, and the same with score() of that row. Milliseconds. */
export type CallLatency = { readonly calls: number; readonly plain: Times; readonly scored: Times };

type Times = { readonly medianMs: number; readonly p99Ms: number };

const PLAIN = 'select t.* from loose t where t.id = $1';
const SCORED = `select t.*, pgscore.score('trees', t) as score from loose t where t.id = $1`;
/** By then both sides have compiled what they run often. */
const WARM_UP = 500;

/** In turns, row by row, so that whatever else the machine does meets both. */
export async function measureCallLatency(
  client: pg.Client,
  { singleCalls, tableRows }: ScorePlan,
): Promise<CallLatency> {
  const [plain, scored]: [number[], number[]] = [[], []];
  await client.query('set pgscore.execution = online');
  for (let call = 0; call < WARM_UP + singleCalls; call += 1) {
    const id = 1 + ((call * 7919) % tableRows);
    const [without, with_] = [await timeOf(client, 'plain', PLAIN, id), await timeOf(client, 'scored', SCORED, id)];
    if (call < WARM_UP) continue;
    plain.push(without);
    scored.push(with_);
  }
  await client.query('reset pgscore.execution');
  return { calls: singleCalls, plain: timesOf(plain), scored: timesOf(scored) };
}

async function timeOf(client: pg.Client, name: string, text: string, id: number): Promise<number> {
  const began = performance.now();
  await client.query({ name, text, values: [id] });
  return performance.now() - began;
}

function timesOf(times: readonly number[]): Times {
  return { medianMs: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}
