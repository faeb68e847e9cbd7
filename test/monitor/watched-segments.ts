import type { Client } from 'pg';

import { deployBytes } from '../support/deploy.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

/** Waits until the service has counted every run and label. */
export async function settled(superuser: Client): Promise<void> {
  await waitFor(
    async () => {
      const { rows } = await superuser.query<{ waiting: boolean }>(
        `select exists (select from pgscore_data.run where state = 'done' and not counted) or exists (select from pgscore_data.label_change)
             or exists (select from pgscore_data.label_source where compared_at is null) as waiting`,
      );
      return rows[0]?.waiting === false;
    },
    { message: 'runs and labels to be counted' },
  );
  await superuser.query('select pgscore.refresh()');
}

/** Predictions of a regression by slice, of all time. */
export async function slices(superuser: Client, model: string): Promise<string[]> {
  const read = `select concat_ws(' ', segment_key, segment_value, sum(n_predictions)) as slice from pgscore_bi.regression_performance_monthly
    where model_name = $1 and segment_key is not null group by segment_key, segment_value order by segment_key collate "C", segment_value collate "C"`;
  const { rows } = await superuser.query<{ slice: string }>(read, [model]);
  return rows.map(({ slice }) => slice);
}

/** A model that predicts x, with these segments. */
export async function watched(ada: Client, model: string, segments: readonly string[]): Promise<void> {
  await deployBytes(ada, model, weightedModel({ x: 'float64' }));
  await ada.query('select pgscore.monitor($1, segments => $2)', [model, segments]);
}
