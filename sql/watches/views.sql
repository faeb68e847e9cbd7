-- What users see of their watches.

create or replace view pgscore_data.watch_pending as
select x.watch_id, sum(x.n)::bigint as pending, min(x.at) as oldest_pending
  from (select c.watch_id, cardinality(c.keys) as n, c.captured_at as at from pgscore_data.watch_change c
        union all
        select r.watch_id, cardinality(r.keys), r.oldest_change_at from pgscore_data.run r where r.keys is not null) x
 group by x.watch_id;
comment on view pgscore_data.watch_pending is
  'What is queued or being scored, a row a watch that has any. It reads the queue once for all of them.';

create or replace view pgscore.watches with (security_barrier) as
select m.name || case when w.alias = 'champion' then '' else '@' || coalesce(w.alias, w.version_number::text) end as model, w.source,
       format('%I.%I', t.view_schema, t.view_name) as target, w.capture,
       case when w.paused then 'paused' when w.error is not null then 'failing'
         when w.generation is not null and exists (
           select from pgscore_data.watch x where x.target_id = w.target_id and x.generation is null and x.version_id = w.version_id)
           then 'standby'
         when not w.is_complete then 'starting'
         when p.watch_id is not null then 'scoring'
         when w.compare_after <= clock_timestamp() or w.compare_until is not null
           or exists (select from pgscore_data.watch_to_compare k where k.watch_id = w.watch_id) then 'comparing'
         else 'following' end as state,
       coalesce(p.pending, 0) as pending, p.oldest_pending, d.delay_p50, d.delay_p95, w.rows_scored, w.rows_unchanged,
       w.error_code, w.error, w.remedy, w.compared_at, w.rows_compared, w.poll_every, w.rescore_every, w.on_promote, w.keep_history,
       w.notify, w.owner, w.created_at, w.generation is null as published
  from pgscore_data.watch w
  join pgscore_data.model m using (model_id)
  join pgscore_data.target t using (target_id)
  left join pgscore_data.watch_pending p using (watch_id)
 cross join lateral (
   select percentile_cont(0.5) within group (order by x.delay) as delay_p50,
          percentile_cont(0.95) within group (order by x.delay) as delay_p95
     from (select r.finished_at - r.oldest_change_at as delay from pgscore_data.run r
            where r.watch_id = w.watch_id and r.state = 'done' order by r.run_id desc limit 100) x) d
 where pg_has_role(to_regrole(quote_ident(w.owner)), 'usage') or pg_has_role('pgscore_owner', 'usage')
    or pg_has_role('pgscore_deployer', 'usage') or current_user = 'pgscore_service';
comment on view pgscore.watches is
  'Your watches, with how far behind they are. Deployers and members of pgscore_owner see everybody''s.';
comment on column pgscore.watches.model is 'What scores; a bare name is its champion at each time.';
comment on column pgscore.watches.source is 'What is followed, looked up by name.';
comment on column pgscore.watches.target is 'View with the latest predictions.';
comment on column pgscore.watches.capture is 'triggers: changes are queued as they are written. poll: the source is read and compared.';
comment on column pgscore.watches.state is
  'starting: rows from before the watch are not all found yet. scoring: changes wait. comparing: the whole source is to be read, after a '
  'TRUNCATE or by the clock. following: nothing waits. standby: the champion''s watch scores with this version. paused; or failing: error '
  'says why, and it is tried again.';
comment on column pgscore.watches.pending is 'Changed rows that are queued or being scored; a row that changed twice may count twice.';
comment on column pgscore.watches.oldest_pending is 'When the oldest of these changes was written.';
comment on column pgscore.watches.delay_p50 is
  'From when a change was queued to its visible prediction: the median of the oldest of each of the last 100 publications. What is polled '
  'is queued when it is read.';
comment on column pgscore.watches.delay_p95 is 'The 95th percentile of what delay_p50 is the median of.';
comment on column pgscore.watches.rows_scored is 'Predictions that it wrote so far.';
comment on column pgscore.watches.rows_unchanged is 'Rows that it read and found to be as they were, so that nothing was written.';
comment on column pgscore.watches.error_code is 'Stable code of what stops it; NULL where nothing does.';
comment on column pgscore.watches.error is 'What stops it.';
comment on column pgscore.watches.remedy is 'What to do about it.';
comment on column pgscore.watches.compared_at is 'When the whole source was last compared with the target.';
comment on column pgscore.watches.rows_compared is 'How many rows it had then.';
comment on column pgscore.watches.poll_every is 'How often a source that is polled is read.';
comment on column pgscore.watches.rescore_every is 'How often the whole source is compared whatever triggers say; NULL: hourly.';
comment on column pgscore.watches.on_promote is 'rescore: a new champion scores all rows again. keep: only those that change.';
comment on column pgscore.watches.keep_history is
  'How long replaced predictions stay in the history; NULL: until they are counted for labels.';
comment on column pgscore.watches.notify is 'The channel that hears of each publication.';
comment on column pgscore.watches.owner is 'The role whose rights it reads with.';
comment on column pgscore.watches.created_at is 'When it was made.';
comment on column pgscore.watches.published is
  'Whether the latest view shows its predictions. False for a challenger beside the champion''s watch: the history alone has them.';
