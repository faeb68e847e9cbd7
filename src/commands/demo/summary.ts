import type pg from 'pg';

/** What the demo ends with: how much was scored, how fast, and how right it was. */
export type DemoSummary = {
  readonly rows_scored: number;
  readonly rows_per_second: number;
  /** Share of flights whose lateness was predicted rightly. */
  readonly accuracy: number;
  /** Area under the ROC curve: the probability that a late flight has a higher score than one on time. */
  readonly roc_auc: number;
};

/** AUC by ranks (Mann-Whitney): (sum of ranks of the positives - P (P + 1) / 2) / (P N), ties at their mean rank. */
const SUMMARY = `
with scored as (
  select p.score, (p.label = '1') = a.was_late as correct, a.was_late
    from flight_delay_scores p join flight_arrivals a using (flight_id) where p.score is not null
), ranked as (
  select was_late, correct, rank() over (order by score) + (count(*) over (partition by score) - 1) / 2.0 as rank from scored
)
select count(*)::int as rows_scored, avg(correct::int)::float8 as accuracy,
       ((sum(rank) filter (where was_late) - p * (p + 1) / 2.0) / (p * (count(*) - p)))::float8 as roc_auc,
       (select r.rows_per_second from pgscore.runs r where r.target like '%.flight_delay_scores' and r.state = 'done' order by r.run desc limit 1) as rows_per_second
  from ranked cross join lateral (select count(*) as p from scored where was_late) positives
 group by p`;

export async function summarise(client: pg.Client): Promise<DemoSummary | undefined> {
  const { rows } = await client.query<DemoSummary>(SUMMARY);
  return rows[0];
}
