import type pg from 'pg';
import { BARE } from './bare-exchange.ts';
import type { ScorePlan } from './plan.ts';
import { quantile } from './spread.ts';

/**
 * One client that waits for each answer: a query for a row by its key, the same with score() of that row, the bare exchange, and
 * score() of a row of a bound table, prepared; and the first two as most clients send them, planned anew each time. Milliseconds.
 */
export type CallLatency = {
  readonly calls: number;
  readonly plain: Times;
  readonly scored: Times;
  readonly bare: Times;
  readonly native: Times;
  readonly unprepared: { readonly plain: Times; readonly scored: Times };
};

type Times = { readonly medianMs: number; readonly p99Ms: number };
type Six = [Times, Times, Times, Times, Times, Times];

const PLAIN = 'select t.* from loose t where t.id = $1';
const SCORED = `select t.*, pgscore.score('trees', t) as score from loose t where t.id = $1`;
const NATIVE = SCORED.replace('loose', 'bound');
/** By then both sides have compiled what they run often. */
const WARM_UP = 500;

/** In turns, row by row, so that whatever else the machine does meets all of them. */
export async function measureCallLatency(
  client: pg.Client,
  owner: pg.Client,
  { singleCalls, tableRows }: ScorePlan,
): Promise<CallLatency> {
  const ways: readonly ((id: number) => Promise<number>)[] = [
    (id) => timeOf(client, 'plain', PLAIN, id),
    (id) => timeOf(client, 'scored', SCORED, id),
    (id) => timeOf(owner, 'bare', BARE.call, id),
    (id) => timeOf(client, 'native', NATIVE, id),
    (id) => timeOf(client, undefined, PLAIN, id),
    (id) => timeOf(client, undefined, SCORED, id),
  ];
  const times = ways.map((): number[] => []);
  for (const one of [client, owner]) await one.query('set pgscore.execution = online');
  for (let call = 0; call < WARM_UP + singleCalls; call += 1) {
    const id = 1 + ((call * 7919) % tableRows);
    for (const [index, way] of ways.entries()) {
      const ms = await way(id);
      if (call >= WARM_UP) times[index]?.push(ms);
    }
  }
  for (const one of [client, owner]) await one.query('reset pgscore.execution');
  const [plain, scored, bare, native, plainAnew, scoredAnew] = times.map(timesOf) as Six;
  return { calls: singleCalls, plain, scored, bare, native, unprepared: { plain: plainAnew, scored: scoredAnew } };
}

async function timeOf(client: pg.Client, name: string | undefined, text: string, id: number): Promise<number> {
  const began = performance.now();
  await client.query({ ...(name !== undefined && { name }), text, values: [id] });
  return performance.now() - began;
}

function timesOf(times: readonly number[]): Times {
  return { medianMs: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}
