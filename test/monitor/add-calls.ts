import type { Client } from 'pg';

import { addTallies } from './add-tallies.ts';
import type { MonitoredModel, MonitoredPrediction } from './monitored-model.ts';

let batches = 0;

/**
 * Calls with these predictions, as a gateway would have kept them together. Returns the number by which each is known to
 * the monitor: that of the prediction, negative.
 */
export async function addCalls(
  superuser: Client,
  { versionId }: MonitoredModel,
  predictions: readonly MonitoredPrediction[],
): Promise<string[]> {
  batches += 1;
  const kept = await superuser.query<{ run: string }>(
    `insert into pgscore_data.online_prediction (version_id, requested_by, asked_at, duration_ms, score, label, probabilities, key)
     select $1, 'alice', p.at, 1, p.score, p.label, p.probabilities, array[p.id::text]
       from jsonb_to_recordset($2::jsonb) p (id int, at timestamptz, score float8, label text, probabilities float8[])
     returning -prediction_id as run`,
    [versionId, JSON.stringify(predictions)],
  );
  const runs = kept.rows.map(({ run }) => run);
  await superuser.query(
    `insert into pgscore_data.online_batch (batch_id, version_id, n_predictions, n_failed, snapshot_at, first_id, last_id)
     values ($1, $2, $3, 0, now(), $4, $5)`,
    [-batches, versionId, predictions.length, -Number(runs[0]), -Number(runs.at(-1))],
  );
  await addTallies(superuser, { runId: String(-batches), attempt: 0 }, versionId, predictions);
  return runs;
}
