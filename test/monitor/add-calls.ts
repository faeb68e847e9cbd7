import type { Client } from 'pg';

import { addTallies } from './add-tallies.ts';
import type { MonitoredModel, MonitoredPrediction } from './monitored-model.ts';

let batches = 0;

/** A call of score() may be about no entity. */
type CalledPrediction = Omit<MonitoredPrediction, 'id'> & {
  readonly id: number | null;
  /** When it was asked, if that is not the time that it is for. */
  readonly asked?: string;
};

/**
 * Calls with these predictions, as a gateway would have kept them together. Returns the number by which each is known to
 * the monitor: that of the prediction, negative.
 */
export async function addCalls(
  superuser: Client,
  { versionId }: MonitoredModel,
  predictions: readonly CalledPrediction[],
): Promise<string[]> {
  await superuser.query('begin');
  const kept = await superuser.query<{ run: string }>(
    `insert into pgscore_data.online_block (version_id, requested_by, asked_at, duration_ms, n_predictions, scores, labels, probabilities, keys, event_times)
     select $1, 'alice', coalesce(p.asked, p.at), 1, 1, array[p.score], case when p.label is not null then array[array_position(e.class_labels, p.label)] end,
            case when p.probabilities is not null then array[p.probabilities] end, array[array[p.id::text]],
            case when p.asked is not null then array[p.at] end
       from jsonb_to_recordset($2::jsonb) p (id int, at timestamptz, asked timestamptz, score float8, label text, probabilities float8[])
       join pgscore_data.execution e on e.version_id = $1
     returning -prediction_id as run`,
    [versionId, JSON.stringify(predictions)],
  );
  const runs = kept.rows.map(({ run }) => run);
  await addBatch(superuser, versionId, predictions, runs);
  return runs;
}

/** The same, where the gateway kept those of each moment in a block. */
export async function addBlocks(
  superuser: Client,
  { versionId }: MonitoredModel,
  predictions: readonly CalledPrediction[],
): Promise<string[]> {
  await superuser.query('begin');
  const kept = await superuser.query<{ run: string }>(
    `with given as (
       select p.*, x.n, coalesce(p.asked, p.at) as asked_at, array_position(e.class_labels, p.label) as place
         from jsonb_array_elements($2::jsonb) with ordinality x (given, n)
        cross join lateral jsonb_to_record(x.given) p (id int, at timestamptz, asked timestamptz, score float8, label text, probabilities float8[])
         join pgscore_data.execution e on e.version_id = $1
     ), blocks as (
       insert into pgscore_data.online_block (version_id, requested_by, asked_at, duration_ms, n_predictions, scores, labels, probabilities, keys, event_times)
       select $1, 'alice', g.asked_at, 1, count(*), array_agg(g.score order by g.n), case when bool_or(g.place is not null) then array_agg(g.place order by g.n) end,
              array_agg(g.probabilities order by g.n) filter (where g.probabilities is not null), array_agg(array[g.id::text] order by g.n),
              case when bool_or(g.asked is not null) then array_agg(case when g.asked is not null then g.at end order by g.n) end
         from given g group by g.asked_at order by min(g.n) returning prediction_id, asked_at
     )
     select -(b.prediction_id + row_number() over (partition by g.asked_at order by g.n) - 1) as run from given g join blocks b using (asked_at) order by g.n`,
    [versionId, JSON.stringify(predictions)],
  );
  const runs = kept.rows.map(({ run }) => run);
  await addBatch(superuser, versionId, predictions, runs);
  return runs;
}

/** Ends the transaction that wrote their blocks: by it the batch finds them. */
async function addBatch(
  superuser: Client,
  versionId: number,
  predictions: readonly CalledPrediction[],
  runs: readonly string[],
): Promise<void> {
  batches += 1;
  const ids = runs.map((run) => -Number(run));
  await superuser.query(
    `insert into pgscore_data.online_batch (batch_id, version_id, n_predictions, n_failed, snapshot_at, first_id, last_id)
     values ($1, $2, $3, 0, now(), $4, $5)`,
    [-batches, versionId, predictions.length, Math.min(...ids), Math.max(...ids)],
  );
  await addTallies(superuser, { runId: String(-batches), attempt: 0 }, versionId, predictions);
  await superuser.query('commit');
}
