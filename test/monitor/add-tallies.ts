import type { Client } from 'pg';

/** A prediction, as far as it is counted. */
type Counted = {
  readonly at: string;
  readonly score: number;
  readonly label?: string;
  readonly probabilities?: number[];
};

/** Which run, or batch of calls, predictions are of. */
type Scored = { readonly runId: string; readonly attempt: number };

/** The counts of predictions by score and class, as a scorer or a gateway would have left them. */
export async function addTallies(
  superuser: Client,
  scored: Scored,
  versionId: number,
  predictions: readonly Counted[],
): Promise<void> {
  const values = [scored.runId, scored.attempt, versionId, JSON.stringify(predictions)];
  await superuser.query(
    `insert into pgscore_data.day_tally (run_id, attempt, shard, day, bins, counts, positives)
     select $1, $2, 0, t.day, array_agg(t.bin), array_agg(t.n), array_agg(t.n_positive) from (
       select date_trunc('day', p.at, m.time_zone) as day,
            coalesce(case when m.task = 'binary' then pgscore_data._score_bin(p.score, b.mirrored) end, -1)::smallint as bin, count(*) as n,
            count(*) filter (where p.score >= m.threshold) as n_positive
       from jsonb_to_recordset($4::jsonb) p (at timestamptz, score float8) cross join pgscore_data.score_bins b
       cross join (select mo.time_zone, e.task, e.threshold from pgscore_data.execution e join pgscore_data.version v using (version_id) join pgscore_data.monitor mo using (model_id) where e.version_id = $3) m
      group by 1, 2
     ) t group by t.day`,
    values,
  );
  if (predictions[0]?.probabilities === undefined) return;
  await superuser.query(
    `insert into pgscore_data.class_tally (run_id, attempt, shard, day, classes, bins, counts, predicted)
    select $1, $2, 0, t.day, array_agg(t.class), array_agg(t.bin), array_agg(t.n), array_agg(t.n_predicted) from (
      select date_trunc('day', p.at, mo.time_zone) as day, x.place - 1 as class, pgscore_data._score_bin(x.p, b.mirrored) / 4 as bin, count(*) as n,
             count(*) filter (where p.label = e.class_labels[x.place]) as n_predicted
        from jsonb_to_recordset($4::jsonb) p (at timestamptz, label text, probabilities float8[])
       cross join lateral unnest(p.probabilities) with ordinality as x (p, place)
       cross join pgscore_data.score_bins b
        join pgscore_data.execution e on e.version_id = $3
        join pgscore_data.version v using (version_id)
        join pgscore_data.monitor mo using (model_id)
       group by 1, 2, 3) t group by t.day`,
    values,
  );
}
