-- Events on their way to the webhook: who sends them, and what became of that.

create or replace function pgscore_data._claim_alerts()
returns table (event_id bigint, attempts int, fingerprint text, model text, version int, alert text, metric text, grain text,
               column_name text, kind text, severity text, event text, reason text,
  at timestamptz, began_at timestamptz, window_start timestamptz, window_end timestamptz, value double precision, n bigint,
  lower_threshold double precision, upper_threshold double precision, is_digest boolean, message text)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
begin atomic
  -- Events of a model are sent in order: while the first of them waits for its next attempt, so do the others.
  with first as materialized (
    select f.* from (
        select distinct on (e.is_digest, case when not e.is_digest then e.model_id end) e.event_id, e.is_digest, e.model_id,
               e.next_attempt_at
          from pgscore_data.alert_event e
         where e.delivered_at is null and e.due_at > clock_timestamp() - interval '1 day'
           and (not e.is_digest or e.due_at <= clock_timestamp())
         order by e.is_digest, case when not e.is_digest then e.model_id end, e.event_id) f
     where f.next_attempt_at <= clock_timestamp() order by f.next_attempt_at limit 1
  ), locked as materialized (
    select e.event_id from pgscore_data.alert_event e join first f on e.event_id = f.event_id
     where e.next_attempt_at <= clock_timestamp() for update of e skip locked
  ), taken as (
    update pgscore_data.alert_event e set attempts = e.attempts + 1, next_attempt_at = clock_timestamp() + interval '1 minute'
     where e.event_id in (
       select x.event_id from pgscore_data.alert_event x
         join first f on x.is_digest = f.is_digest and (f.is_digest or x.model_id = f.model_id)
        where exists (select from locked) and x.delivered_at is null and x.due_at > clock_timestamp() - interval '1 day'
          and (not x.is_digest or x.due_at <= clock_timestamp())
        order by x.event_id limit 100)
    returning e.*
  )
  select t.event_id, t.attempts, t.fingerprint, m.name, v.number, t.rule, t.metric, t.grain, nullif(t.column_name, ''), t.kind, t.severity,
         t.event, t.reason,
         t.at, t.began_at, t.window_start, t.window_end, t.value, t.n, t.lower_threshold, t.upper_threshold, t.is_digest, t.message
    from taken t join pgscore_data.model m using (model_id)
    left join pgscore_data.version v on v.version_id = t.version_id order by t.event_id;
end;
comment on function pgscore_data._claim_alerts() is
  'Takes the events of one model, or the digest of all, that are to be sent now, for a minute: who has not sent them by then is taken to '
  'be gone.';

create or replace function pgscore_data._note_delivery(events bigint[], failure text) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
begin atomic
  update pgscore_data.alert_event e set
    delivered_at = case when failure is null then clock_timestamp() end, error = left(failure, 500),
    next_attempt_at = case when failure is null then e.next_attempt_at
                        else clock_timestamp() + least(interval '1 hour',
                                                       interval '5 seconds' * 2 ^ least(e.attempts - 1, 20)) * (0.8 + 0.4 * random()) end
   where e.event_id = any (events) and e.delivered_at is null;
end;
comment on function pgscore_data._note_delivery(bigint[], text) is
  'Notes that events were sent, or why not: then they are tried again after 5 seconds, and twice as long each time, up to an hour.';
