import { expect } from '@jest/globals';
import type { Client } from 'pg';

import { waitFor } from '../support/wait-for.ts';

/** What the monitor says of all days of a regression: predictions, rows that failed, labelled predictions, mean error. */
export type Totals = { predicted: number; failed: number; labeled: number; mae: number | null };

/** Of all days: a test may run over midnight. */
async function totalsOf(superuser: Client, model: string): Promise<Totals | undefined> {
  const { rows } = await superuser.query<Totals>(
    `select sum(p.n_predictions)::int as predicted, sum(c.n_failed)::int as failed, sum(p.n_labeled)::int as labeled,
            sum(p.mae * p.n_labeled) / nullif(sum(p.n_labeled), 0) as mae
       from pgscore_bi.regression_performance_daily p
       join pgscore_data.model m on m.name = p.model_name
       join pgscore_data.version v on v.model_id = m.model_id and v.number = p.model_version
       join pgscore_data.cell_volume c on c.version_id = v.version_id and c.day = p.window_start and c.segment_id = 0
      where p.model_name = $1`,
    [model],
  );
  return rows[0];
}

export async function expectTotals(superuser: Client, model: string, expected: Totals): Promise<void> {
  let seen: Totals | undefined;
  await waitFor(
    async () => {
      seen = await totalsOf(superuser, model);
      return JSON.stringify(seen) === JSON.stringify(expected);
    },
    { message: 'what the monitor says' },
  ).catch(() => expect(seen).toEqual(expected));
}

/** Resolves when so many calls of a model are kept and counted. */
export async function callsCounted(superuser: Client, model: string, calls: number): Promise<void> {
  let seen: { kept: number; waiting: number } | undefined;
  await waitFor(
    async () => {
      const { rows } = await superuser.query<{ kept: number; waiting: number }>(
        `select (select count(*)::int from pgscore.online_predictions p where p.model = $1) as kept,
                (select count(*)::int from pgscore_data.online_batch b where not b.counted) as waiting`,
        [model],
      );
      seen = rows[0];
      return seen?.kept === calls && seen.waiting === 0;
    },
    { message: 'the calls that are counted' },
  ).catch(() => expect(seen).toEqual({ kept: calls, waiting: 0 }));
}
