import type pg from 'pg';
import type { ScorePlan } from './plan.ts';
import { settled } from './settled.ts';

const CALL = `select count(s.score) as n from pgscore.score_rows('trees', array(select t from loose t limit $1)) s`;

const WARM_UP_ROWS = 10_000;

/** Rows a second of calls of score_rows() over the service, one after the other, with each prediction logged or none. */
export async function measureRowsCall(
  client: pg.Client,
  owner: pg.Client,
  { rowsCall, seconds }: ScorePlan,
  logged: boolean,
): Promise<number> {
  await client.query('select pgscore.log_calls($1, $2)', ['trees', Number(logged)]);
  await client.query('set pgscore.execution = online');
  // The first are not measured, as of single calls: by then both sides have compiled what they run.
  await client.query(CALL, [WARM_UP_ROWS]);
  await settled(owner);
  const before = await keptRows(owner);
  const began = performance.now();
  let [scored, took] = [0, 0];
  while (took < seconds) {
    const { rows } = await client.query<{ n: string }>(CALL, [rowsCall]);
    if (Number(rows[0]?.n) !== rowsCall) throw new Error(`score_rows() scored ${rows[0]?.n} of ${rowsCall} rows`);
    scored += rowsCall;
    took = (performance.now() - began) / 1000;
  }
  await client.query('reset pgscore.execution');
  await settled(owner);
  const kept = (await keptRows(owner)) - before;
  const expected = logged ? scored : 0;
  if (kept !== expected) throw new Error(`of score_rows() ${kept} predictions were kept instead of ${expected}`);
  return scored / took;
}

async function keptRows(owner: pg.Client): Promise<number> {
  const { rows } = await owner.query<{ n: string }>(
    'select coalesce(sum(n_predictions), 0) as n from pgscore_data.online_batch',
  );
  return Number(rows[0]?.n);
}
