-- Whether a version passes the gates of its model.

create or replace function pgscore_data._judge_evidence(g pgscore_data.gate, e pgscore_data.evidence, other_name text,
  out passed boolean, out is_worse boolean, out needs text, out reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  n constant bigint := coalesce(least(e.n, e.other_n), 0);
  enough constant bigint := greatest(30, g.minimum_labels);
  low_is_better constant boolean := pgscore_data._lower_is_better(g.metric);
  of_arms constant boolean := coalesce(e.source in ('arms', 'shadow'), false);
  worse_by constant double precision := case when low_is_better then e.difference else - e.difference end;
  worse_at_least constant double precision := case when low_is_better then e.low else - e.high end;
  worse_at_most constant double precision := case when low_is_better then e.high else - e.low end;
begin
  passed := false;
  is_worse := coalesce(n >= enough and e.is_enough and worse_at_least > g.margin, false);
  -- Of arms whose shares changed, the difference is not that of the values.
  reason := case when of_arms
    then format('%s is %s %s than that of %s', g.metric, pgscore_data._short_number(abs(e.difference)),
                case when e.difference < 0 then 'lower' else 'higher' end, other_name)
    else format('%s is %s, that of %s %s', g.metric, pgscore_data._short_number(e.value), other_name,
                pgscore_data._short_number(e.other_value)) end || ', by ' || e.said_by;
  if n < enough or not e.is_enough or worse_at_most is null then
    needs := case when n < enough then format('%s more labels', enough - n)
               when of_arms and not e.is_enough then 'labels of 100 entities in each arm'
               when g.metric = 'roc_auc' then 'more labels of each class' else 'more labels' end;
    reason := concat(g.metric, ' counts ', n, ' labels', ', by ' || e.said_by);
  elsif worse_at_most <= g.margin then
    passed := e.doubt is null;
    reason := reason || case when worse_at_most <= 0 then ''
                          else format(': %s worse at most', pgscore_data._short_number(worse_at_most)) end;
  elsif worse_by >= g.margin and worse_by > 0 then
    reason := reason || format(': %s worse', pgscore_data._short_number(worse_by));
  else
    -- The width of an interval goes with 1 / sqrt(n).
    needs := case when worse_at_most - worse_by > 1000 * (g.margin - worse_by) then 'far more labels'
               else format('about %s more labels', ceil(n * ((worse_at_most - worse_by) / (g.margin - worse_by)) ^ 2)::numeric - n) end;
    reason := reason || format(': it may be %s worse', pgscore_data._short_number(worse_at_most));
  end if;
  if e.doubt is not null then
    needs := case when e.source = 'replay' and worse_at_most > g.margin then needs else e.needs end;
    reason := reason || '; ' || e.doubt;
  end if;
end
$$;
comment on function pgscore_data._judge_evidence(pgscore_data.gate, pgscore_data.evidence, text) is
  'Whether a version is within the margin of a gate, by the bound of the interval. is_worse: all of the interval is beyond the margin.';

create or replace function pgscore_data._gate_parts(g pgscore_data.gate, this_version int, other int)
returns table (name text, version_id int, other_id int, segment_id int, is_small boolean)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  -- By the targets and segments of the other version: one that this version does not give, or never scored, is not to be overlooked.
  with target as (
    select null::text as name, this_version as version_id, other as other_id, true as is_whole
    union all
    select x.name, n.value_id, x.value_id, false
      from pgscore_data.version_value x left join pgscore_data.version_value n on n.version_id = this_version and n.name = x.name
     where x.version_id = other and x.name = coalesce(g.target, x.name)
  ), compared as (
    select t.*, g.kind = 'no_segment_worse' as by_segment, exists (
             select from pgscore_data.compared_pair c
              where c.version_id = t.version_id and c.other_id = t.other_id and c.n_days > 0 and c.by_segment) as has_segments
      from target t
     where t.is_whole = ((select e.task from pgscore_data.execution e where e.version_id = other) not in ('multi_target', 'multilabel'))
  ), segment as (
    select s.segment_id, format('%s = %s', s.column_name, s.value) as name,
           sum(c.n_predictions) < 0.01 * sum(sum(c.n_predictions)) over (partition by s.column_name) as is_small
      from pgscore_data.monitor m
      join pgscore_data.segment s on s.model_id = m.model_id and s.column_name = any (m.segments)
      join pgscore_data.cell_volume c on c.segment_id = s.segment_id and c.version_id = other
     where m.model_id = g.model_id and g.by_column in ('segments', s.column_name) group by s.segment_id
  )
  select nullif(concat_ws(', ', t.name, s.name), ''), t.version_id, t.other_id, s.segment_id, s.is_small
    from compared t cross join segment s where t.by_segment and t.has_segments
  union all
  select t.name, t.version_id, t.other_id, case when not t.by_segment then 0 end, false
    from compared t where not (t.by_segment and t.has_segments);
end;
comment on function pgscore_data._gate_parts(pgscore_data.gate, int, int) is
  'What a gate compares one by one: segments, targets or labels, or the whole version, which has no name. version_id: NULL where this '
  'version does not give it; segment_id: NULL where segments were not compared yet.';

create or replace function pgscore_data._judge_part(g pgscore_data.gate, this_version int, other int, segment int, other_name text,
  out evidence pgscore_data.evidence, out passed boolean, out is_worse boolean, out needs text, out reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  is_split boolean;
begin
  evidence := pgscore_data._evidence(this_version, other, segment, g.metric, g.minimum_labels);
  if this_version is null then
    passed := false;
    reason := 'this version does not give it';
  elsif evidence.source is null and coalesce(segment, 0) = 0 then
    is_split := exists (
      select from pgscore_data.experiment e join pgscore_data.experiment_arm a using (experiment_id)
       where e.champion_version_id = other and a.version_id = this_version and e.kind <> 'shadow');
    passed := false;
    needs := case
      when segment is null and exists (
        select from pgscore_data.compared_pair c where c.version_id = this_version and c.other_id = other and c.n_days > 0)
        then 'a comparison by segment, which a running service makes within minutes'
      when is_split and segment = 0 and exists (select from pgscore_data.experiment_metric k where k.metric = g.metric)
        then 'labels of both arms' || case when exists (
          select from pgscore_data.experiment e join pgscore_data.experiment_arm a using (experiment_id)
           where e.champion_version_id = other and e.kind <> 'shadow' and e.stopped_at is null
           group by e.experiment_id having sum(a.weight) >= 100)
          then ', and a share of the entities for the champion: set_arms() with less than 100 %' else '' end
      else concat('labels that judge both versions', to_char(
        nullif(pgscore_data._compared_since(this_version, other), '-infinity')
          at time zone (select m.time_zone from pgscore_data.monitor m where m.model_id = g.model_id), '", from "FMDD Mon YYYY" on"'),
        case when is_split then ', as of a shadow' end) end;
    reason := format('it is not compared with %s yet', other_name)
      || case when exists (select from pgscore_data.replay r join pgscore_data.run u using (run_id)
                            where u.version_id = this_version and r.other_id = other and r.n_days > 0
                              and not pgscore_data._may_promote(u.requested_by))
           then ': a replay counts where a pgscore_deployer asked for it' else '' end;
  else
    select j.* into passed, is_worse, needs, reason from pgscore_data._judge_evidence(g, evidence, other_name) j;
  end if;
end
$$;
comment on function pgscore_data._judge_part(pgscore_data.gate, int, int, int, text) is
  'Whether a version, or a value of one, is within the margin of a gate, in a segment or at all, and by which evidence.';

create or replace function pgscore_data._judge_parts(g pgscore_data.gate, this_version int, other int, other_name text,
  out passed boolean, out value double precision, out low double precision, out high double precision, out needs text, out reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  low_is_better constant boolean := pgscore_data._lower_is_better(g.metric);
  found record;
  is_unjudged boolean;
begin
  with judged as (
    select p.name, p.is_small, j.passed, j.needs, (j.evidence).difference, (j.evidence).low, (j.evidence).high,
           concat_ws(': ', p.name, j.reason) as said,
           case when j.passed or p.is_small and not j.is_worse then 2 when j.needs is null then 0 else 1 end as rank
      from pgscore_data._gate_parts(g, this_version, other) p
     cross join lateral pgscore_data._judge_part(g, p.version_id, p.other_id, p.segment_id, other_name) j
  ), ordered as (
    select j.*, row_number() over (order by j.rank, case when low_is_better then - j.high else j.low end, j.name) as position
      from judged j
  )
  select count(*) as n, count(*) filter (where p.rank < 2) as failed, count(*) filter (where p.rank = 2 and not p.passed) as small,
         (array_agg(p.said order by p.position))[1] as worst, (array_agg(p.difference order by p.position))[1] as difference,
         (array_agg(p.low order by p.position))[1] as low, (array_agg(p.high order by p.position))[1] as high,
         string_agg(p.said, '; ' order by p.position) filter (where p.rank < 2 and p.position <= 5) as reasons,
         string_agg(concat_ws(' for ', p.needs, p.name), '; ' order by p.position) filter (where p.rank = 1 and p.position <= 5) as needs
    into found from ordered p;
  is_unjudged := found.n > 0 and found.small = found.n;
  passed := found.n > 0 and found.failed = 0 and not is_unjudged;
  value := found.difference;
  low := found.low;
  high := found.high;
  needs := case
    when found.n = 0 and g.kind = 'no_segment_worse' then 'runs since the model has segments'
    when is_unjudged then format('%s labels that judge both versions in a segment', greatest(30, g.minimum_labels))
    else found.needs end;
  reason := case
    when found.n = 0 and g.kind = 'no_segment_worse' then format('%s has no predictions by segment', other_name)
    when found.n = 0 then format('%s does not give %L', other_name, g.target)
    when found.failed > 0 then found.reasons || case when found.failed > 5 then format('; and %s more', found.failed - 5) else '' end
    when is_unjudged then format('each of %s segments has few predictions, and no labels tell that it is not worse', found.n)
    when found.n = 1 then found.worst
    else format('none of %s is worse; the nearest is %s', found.n, found.worst)
      || case found.small when 0 then '' when 1 then '; 1 has few predictions'
           else format('; %s have few predictions', found.small) end end;
end
$$;
comment on function pgscore_data._judge_parts(pgscore_data.gate, int, int, text) is
  'Whether a version is within the margin of a gate in each of its parts. The value is that of the worst one.';

create or replace function pgscore_data._judge_comparison(g pgscore_data.gate, this_version int,
  out passed boolean, out value double precision, out low double precision, out high double precision, out needs text, out reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  other int;
  other_name text;
  task text;
begin
  passed := false;
  other := case g.against
    when 'champion' then (select a.version_id from pgscore_data.alias a where a.model_id = g.model_id and a.alias = 'champion')
    else (select v.version_id from pgscore_data.version v join pgscore_data.version t using (model_id)
           where t.version_id = this_version and v.number < t.number and v.state = 'ready' order by v.number desc limit 1) end;
  if other is null or other = this_version then
    passed := true;
    reason := case when other is null then format('there is no %s', g.against) else 'it is the champion' end;
    return;
  end if;
  other_name := pgscore_models._version_name(other);
  select e.task into task from pgscore_data.execution e join pgscore_data.execution o using (task)
   where e.version_id = this_version and o.version_id = other;
  if task is null then
    reason := format('its task is another one than that of %s', other_name);
  else
    select j.* into passed, value, low, high, needs, reason from pgscore_data._judge_parts(g, this_version, other, other_name) j;
  end if;
end
$$;
comment on function pgscore_data._judge_comparison(pgscore_data.gate, int) is
  'Whether a version is within the margin of a gate, by what is known of both.';

create or replace function pgscore._gate_verdicts(version text, asked_by name default current_user)
returns table (gate text, passed boolean, value double precision, low double precision, high double precision, needs text, reason text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  this constant record := pgscore._ready_version(version);
  g pgscore_data.gate;
begin
  for g in
    select x.* from pgscore_data.gate x join pgscore_data.version v using (model_id) where v.version_id = this.version_id order by x.name
  loop
    if g.kind = 'golden' then
      return query select g.name, j.passed, j.value, null::double precision, null::double precision, j.needs, j.reason
        from pgscore_data._judge_golden(g, this.version_id, asked_by) j;
    else
      return query select g.name, j.* from pgscore_data._judge_comparison(g, this.version_id) j;
    end if;
  end loop;
end
$$;
comment on function pgscore._gate_verdicts(text, name) is
  'What check_gates() says; asked_by is the caller, in whose name the service is asked.';

create or replace function pgscore_data._known_verdicts(model text, versions bigint[])
returns table (model_version bigint, gate text, passed boolean, value double precision, low double precision, high double precision,
  needs text, reason text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select v.number, g.name, j.*
    from pgscore_data.model m join pgscore_data.gate g using (model_id) join pgscore_data.version v using (model_id)
   cross join lateral (
     select c.* from pgscore_data._judge_comparison(g, v.version_id) c where g.kind <> 'golden'
     union all
     select null, null, null, null, null, 'golden rows are scored when the version is checked or promoted' where g.kind = 'golden') j
   where m.name = $1 and v.number = any ($2) and v.state = 'ready'
     and not exists (select from pgscore_data.alias a where a.version_id = v.version_id and a.alias = 'champion')
   order by v.number desc, g.name
$$;
comment on function pgscore_data._known_verdicts(text, bigint[]) is
  'What is known without asking a version: whether versions other than the champion pass the gates, for the page. passed: NULL of golden.';

create or replace function pgscore.check_gates(version text)
returns table (gate text, passed boolean, value double precision, low double precision, high double precision, needs text, reason text)
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select v.* from pgscore._gate_verdicts($1) v $$;
comment on function pgscore.check_gates(text) is
'Whether a version, such as churn@4, passes the gates of its model: a row for each gate.
value: of golden how far the worst prediction is off; else how much higher the metric is than that of the other version, or in the worst '
'target or segment.  low, high: the 95 % interval of value.  needs: what is lacking, where there is too little data; that counts as not '
'passed.';

create or replace function pgscore_data._pass_gates(this_version int, this_name text, actor name, options jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  failed text[];
  gates text;
begin
  if exists (select from pgscore_data.alias a where a.version_id = this_version and a.alias = 'champion') then
    return options;
  end if;
  select coalesce(array_agg(format('%s: %s%s.', v.gate, v.reason, ' (needs ' || v.needs || ')')), '{}'), string_agg(v.gate, ', ')
    into failed, gates from pgscore._gate_verdicts(this_name, actor) v where not v.passed;
  if failed <> '{}' and not (coalesce((options ->> 'force')::boolean, false) and coalesce(options ->> 'reason' ~ '\S', false)) then
    raise exception 'version "%" does not pass the gates of its model: %', this_name, gates using
      errcode = 'object_not_in_prerequisite_state',
      detail = array_to_string(failed, E'\n'),
      hint = format('See what it needs: select * from pgscore.check_gates(%L); or add force => true, reason => ''…''.',
                    this_name);
  end if;
  return case when failed = '{}' then options else options || jsonb_build_object('failed', failed) end;
end
$$;
comment on function pgscore_data._pass_gates(int, text, name, jsonb) is
  'Raises where a version that is to be champion does not pass the gates, unless that is forced; returns what the audit says of it.';
