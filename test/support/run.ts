import type { Client } from 'pg';

import { waitFor } from './wait-for.ts';

export type RunState = {
  run: string;
  source: string;
  state: string;
  rows_done: string;
  rows_failed: string;
  attempt: number;
  published: boolean | null;
  error_code: string | null;
  error: string | null;
  remedy: string | null;
  target: string | null;
};

/** Prepared, as to plan it takes longer than to run it. */
const STATE = { name: 'state of a run', text: 'select * from pgscore.runs where run = $1' };

/** Submits a run; `options` are arguments of pgscore.score_table(). */
export async function submitRun(
  client: Client,
  model: string,
  source: string,
  options: Record<string, unknown> = {},
): Promise<string> {
  const names = Object.keys(options);
  const extra = names.map((name, index) => `, ${name} => $${index + 3}`).join('');
  const text = `select pgscore.score_table($1, $2::regclass${extra}) as run`;
  const { rows } = await client.query<{ run: string }>(text, [model, source, ...Object.values(options)]);
  return rows[0]?.run ?? '';
}

/** Waits until a run has ended, as its requester sees it; does not raise where it failed. */
export async function endOfRun(client: Client, run: string, timeout = 30_000): Promise<RunState> {
  let seen: RunState | undefined;
  await waitFor(
    async () => {
      const { rows } = await client.query<RunState>({ ...STATE, values: [run] });
      seen = rows[0];
      return seen !== undefined && ['done', 'failed', 'cancelled'].includes(seen.state);
    },
    { timeout, message: `run ${run} to end` },
  );
  if (seen === undefined) throw new Error(`run ${run} does not exist`);
  return seen;
}

/** Submits a run and waits until it has ended. */
export async function scoreTable(
  client: Client,
  model: string,
  source: string,
  options: Record<string, unknown> = {},
): Promise<RunState> {
  return endOfRun(client, await submitRun(client, model, source, options));
}
