import type { Client } from 'pg';

import { scoreTable } from '../support/run.ts';
import { waitFor } from '../support/wait-for.ts';

/** Prepared, as to plan it takes longer than to run it. */
const STATE = {
  name: 'state of a watch',
  text: 'select state, error, pending, oldest_pending, rows_scored from pgscore.watches where target = $1',
};

/** Waits until a watch has nothing left to do, and has compared its source at least once. */
export async function atRest(client: Client, target: string): Promise<void> {
  await waitFor(
    async () => {
      const { rows } = await client.query<{ state: string; error: string | null }>({ ...STATE, values: [target] });
      if (rows[0]?.error) throw new Error(rows[0].error);
      if (rows[0]?.state !== 'following') throw new Error(JSON.stringify(rows[0]));
      return true;
    },
    { message: `${target} to be at rest`, timeout: 60_000 },
  );
}

/** The predictions that a target and a full run over its source do not share, but for rounding; none where the watch is right. */
export async function differences(client: Client, model: string, source: string, target: string): Promise<unknown[]> {
  const whole = `${target.split('.').at(-1)}_whole`;
  await scoreTable(client, model, source, { target: whole, key: 'id' });
  const text = `select id, here.score, here.error_code, here.run_id, whole.score as whole_score, whole.error_code as whole_error
       from ${target} here full join ${whole} whole using (id)
      where here.error_code is distinct from whole.error_code or (here.score is null) <> (whole.score is null)
         or abs(here.score - whole.score) > 1e-5 limit 20`;
  return (await client.query(text)).rows;
}
