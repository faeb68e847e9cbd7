-- Which predictions count in an experiment: those that were made while it was open, each by the arm of its entity, on days with labels.

create or replace function pgscore_data._note_stage() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgscore_data.experiment_stage (experiment_id, since, version_id, buckets)
  values (new.experiment_id, now(), new.version_id, new.buckets)
  on conflict (experiment_id, version_id, since) do update set buckets = excluded.buckets;
  return null;
end
$$;
comment on function pgscore_data._note_stage() is 'Keeps what the buckets of an arm were, and since when.';

create or replace trigger note_stage after insert or update of buckets on pgscore_data.experiment_arm
for each row execute function pgscore_data._note_stage();

create or replace view pgscore_data.experiment_version as
select e.experiment_id, e.champion_version_id as version_id, true as is_champion from pgscore_data.experiment e
union all
select a.experiment_id, a.version_id, false from pgscore_data.experiment_arm a;
comment on view pgscore_data.experiment_version is 'The versions of each experiment: its champion and its arms.';

create or replace view pgscore_data.experiment_share as
with stage as (
  select s.experiment_id, s.since as began, (row_number() over w)::int as stage,
         case when row_number() over w = 1 then '-infinity' else s.since end as since, lead(s.since, 1, 'infinity') over w as ends
    from (select distinct x.experiment_id, x.since from pgscore_data.experiment_stage x) s
  window w as (partition by s.experiment_id order by s.since)
), held as (
  select s.*, a.version_id, (select h.buckets from pgscore_data.experiment_stage h
                              where h.experiment_id = s.experiment_id and h.version_id = a.version_id and h.since <= s.began
                              order by h.since desc limit 1) as buckets
    from stage s join pgscore_data.experiment_arm a using (experiment_id)
)
select h.experiment_id, h.stage, h.since, h.ends, h.version_id, h.buckets from held h
union all
select h.experiment_id, h.stage, h.since, h.ends, e.champion_version_id, '{[0,10000)}' - coalesce(range_agg(h.buckets), '{}')
  from held h join pgscore_data.experiment e using (experiment_id)
 group by h.experiment_id, h.stage, h.since, h.ends, e.champion_version_id;
comment on view pgscore_data.experiment_share is
  'The stages of an experiment, from one change of its arms to the next, and the buckets that each version has in it.';

create or replace view pgscore_data.experiment_day as
select e.experiment_id, l.day,
       sum(l.n_labeled) > 0 and bool_and(l.n_labeled >= mo.min_label_coverage * (l.n_labeled + l.n_awaiting)) as is_mature
  from pgscore_data.experiment e
  join pgscore_data.monitor mo using (model_id)
  join pgscore_data.experiment_version x using (experiment_id)
  join pgscore_data.day_labels l on l.version_id = x.version_id and l.segment_id = 0
   and l.day >= date_trunc('day', e.started_at, mo.time_zone)
 group by e.experiment_id, l.day;
comment on view pgscore_data.experiment_day is
'The days of an experiment, and whether each is mature: whether min_label_coverage of the predictions of each of its versions have '
'labels. All versions must have them, as labels that come early are of other predictions than those that come late. On a day on which '
'it started or stopped, predictions from before and after count for that, too.';

create or replace function pgscore_data._arm_predictions(this pgscore_data.experiment, from_day timestamptz, to_day timestamptz)
returns table (version_id int, stage int, entity bigint, event_time timestamptz, known_at timestamptz, made_at timestamptz, day timestamptz,
  actual_class smallint, predicted_class smallint, error double precision, p_actual double precision, bin smallint)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  with version as materialized (
    select s.*, mo.pairing = 'latest_before_label' as by_newest, j.task, j.class_labels, j.class_forms,
           this.kind <> 'shadow' and coalesce(this.split_by <@ mo.key_columns::text[], false) as by_key,
           case when this.split_by <@ mo.key_columns::text[] and this.split_by <> mo.key_columns::text[] and this.kind <> 'shadow'
             then array(select array_position(mo.key_columns::text[], c) from unnest(this.split_by) with ordinality x (c, n) order by n) end
             as positions
      from pgscore_data.experiment_share s join pgscore_data.monitor mo on mo.model_id = this.model_id
      join pgscore_data.label_reading j on j.model_id = this.model_id and j.version_id = s.version_id
     where s.experiment_id = this.experiment_id
  ), mature as materialized (
    -- Else a plan may read the view again for each prediction.
    select d.day from pgscore_data.experiment_day d where d.experiment_id = this.experiment_id and d.is_mature
  )
  select e.version_id, v.stage, hash_array_extended(u.entity, 0), nullif(e.event_time, r.snapshot_at),
         coalesce(b.known_at, e.known_at), m.made_at, e.day,
         t.actual_class, e.predicted_class, e.score - t.actual,
         case when t.actual_class is not distinct from e.actual_class then e.p_actual
              when v.task = 'binary' then 1 - e.p_actual
              else (select p.probabilities[t.actual_class + 1] from pgscore_data._predictions_at(e.version_id, e.key, e.event_time) p
                     where p.run_id = e.run_id) end, e.bin
    from pgscore_data.evaluation e
    left join pgscore_data.run r on r.run_id = e.run_id
   cross join lateral (select coalesce(r.snapshot_at, e.event_time) as made_at) m
    join version v on v.version_id = e.version_id and v.since <= m.made_at and m.made_at < v.ends
   cross join lateral (
     select case when v.positions is null then e.key
              else array(select e.key[p] from unnest(v.positions) with ordinality x (p, n) order by n) end as entity) u
    -- The next prediction by another version. Within a stage an entity has predictions of one version.
    -- OFFSET 0: all rows of a run may be for one time, which a plan does not know, so it would read them all for each entity.
    left join lateral (
      select min(o.event_time) as at
        from (select x.event_time, x.version_id, x.run_id from pgscore_data.evaluation x
               where x.model_id = this.model_id and hash_array(x.key) = hash_array(e.key) and x.key = e.key offset 0) o
       where v.by_newest and this.kind <> 'shadow' and e.known_at >= least(v.ends, this.stopped_at)
         and o.version_id in (select x.version_id from version x) and o.version_id <> e.version_id and o.run_id is not null
         and o.event_time > e.event_time and o.event_time between least(v.ends, this.stopped_at) and e.known_at) n on true
    left join lateral (
      select l.known_at, l.label
        from (select x.known_at, x.label from pgscore_data.evaluation x
               where x.model_id = this.model_id and hash_array(x.key) = hash_array(e.key) and x.key = e.key offset 0) l
       where n.at is not null and l.known_at >= e.event_time and l.known_at < n.at
       order by l.known_at desc limit 1) b on true
   cross join lateral (
     select case when b.label is null then e.actual_class else pgscore_data._class_of(b.label, v.class_labels, v.class_forms) end
              as actual_class,
            case when b.label is null then e.actual when v.task = 'regression' then pgscore_data._number_of(b.label) end as actual) t
   where e.version_id in (select x.version_id from version x) and e.run_id is not null
     and (n.at is null or b.label is not null and coalesce(t.actual_class, t.actual) is not null)
     -- The bounds of event_time are for the index; day decides.
     and e.event_time >= from_day and e.event_time < to_day + interval '2 days' and e.day between from_day and to_day
     and e.day in (select m.day from mature m)
     and m.made_at >= this.started_at and m.made_at < coalesce(this.stopped_at, 'infinity')
     and case when v.by_key then v.buckets @> pgscore.bucket(this.salt, u.entity)
           else this.kind = 'shadow' or r.run_id is null or r.experiment_id = this.experiment_id and r.arm_error is null end;
end;
comment on function pgscore_data._arm_predictions(pgscore_data.experiment, timestamptz, timestamptz) is
'The predictions that count in an experiment, on mature days.
If the key of labels has the columns that it splits by, these are the entity, and a prediction of an entity of another arm does not '
'count. Else a prediction of a run counts if the experiment split the run. A call is taken to be made at the time that it is for.
With the default pairing, the labels of a prediction in a split end with the next one of its entity by another version. That one must '
'be for a time after the stage or the experiment ended. The newest label known until then judges it.
event_time: NULL where the run has none, as the time of a shadow is later.';

create or replace function pgscore_data._other_key(this pgscore_data.experiment) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select format('labels go by %s, and the experiment splits by %s: which of them are of one entity is not known',
                array_to_string(mo.key_columns, ', '), array_to_string(this.split_by, ', '))
    from pgscore_data.monitor mo
   where mo.model_id = this.model_id and this.kind <> 'shadow'
     and not this.split_by <@ mo.key_columns::text[]
$$;
comment on function pgscore_data._other_key(pgscore_data.experiment) is
'Why nothing tells how far entities of an experiment vary: labels of one entity are not independent, and cannot be put together. NULL: '
'they can.';
