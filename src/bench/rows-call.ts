import type pg from 'pg';
import type { ScorePlan } from './plan.ts';

const CALL = `select count(s.score) as n from pgscore.score_rows('trees', array(select t from loose t limit $1)) s`;

/** Rows a second of score_rows() over the service, with a share of its predictions logged. */
export async function measureRowsCall(client: pg.Client, { rowsCall }: ScorePlan, sampling: number): Promise<number> {
  await client.query('select pgscore.log_calls($1, $2)', ['trees', sampling]);
  await client.query('set pgscore.execution = online');
  const began = performance.now();
  const { rows } = await client.query<{ n: string }>(CALL, [rowsCall]);
  const seconds = (performance.now() - began) / 1000;
  await client.query('reset pgscore.execution');
  if (Number(rows[0]?.n) !== rowsCall) throw new Error(`score_rows() scored ${rows[0]?.n} of ${rowsCall} rows`);
  return rowsCall / seconds;
}
