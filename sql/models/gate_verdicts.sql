-- Whether a version passes the gates of its model.

create or replace function pgscore_data._judge_difference(g pgscore_data.gate, d pgscore_data.compared_difference, other text,
  experiment int, replay bigint, out passed boolean, out is_worse boolean, out needs text, out reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  n constant bigint := coalesce(least(d.n, d.other_n), 0);
  enough constant bigint := greatest(30, g.minimum_labels);
  low_is_better constant boolean := pgscore_data._lower_is_better(g.metric);
  worse constant double precision := case when low_is_better then d.difference else - d.difference end;
  at_least constant double precision := case when low_is_better then d.low else - d.high end;
  at_most constant double precision := case when low_is_better then d.high else - d.low end;
begin
  passed := false;
  is_worse := coalesce(n >= enough and d.is_enough and at_least > g.margin, false);
  -- Of arms whose shares changed, the difference is not that of the values.
  reason := case
    when experiment is not null then format('%s is %s %s than that of %s in experiment %s', g.metric,
      pgscore_data._short_number(abs(d.difference)), case when d.difference < 0 then 'lower' else 'higher' end, other, experiment)
    else concat(format('%s is %s, that of %s %s', g.metric, pgscore_data._short_number(d.value), other,
                       pgscore_data._short_number(d.other_value)), ', from a replay (run ' || replay || ')') end;
  if n < enough or not d.is_enough or at_most is null then
    needs := case when n < enough then format('%s more labels', enough - n)
               when experiment is not null and not d.is_enough then 'labels of 100 entities in each arm'
               when g.metric = 'roc_auc' then 'more labels of each class' else 'more labels' end;
    reason := concat(g.metric, ' counts ', n, ' labels ', coalesce('of an arm in experiment ' || experiment, 'that judge both versions'),
                     ', from a replay (run ' || replay || ')');
  elsif at_most <= g.margin then
    passed := true;
    reason := reason || case when at_most <= 0 then '' else format(': %s worse at most', pgscore_data._short_number(at_most)) end;
  elsif worse >= g.margin and worse > 0 then
    reason := reason || format(': %s worse', pgscore_data._short_number(worse));
  else
    -- The width of an interval goes with 1 / sqrt(n).
    needs := case when at_most - worse > 1000 * (g.margin - worse) then 'far more labels'
               else format('about %s more labels', ceil(n * ((at_most - worse) / (g.margin - worse)) ^ 2)::numeric - n) end;
    reason := reason || format(': it may be %s worse', pgscore_data._short_number(at_most));
  end if;
end
$$;
comment on function pgscore_data._judge_difference(pgscore_data.gate, pgscore_data.compared_difference, text, int, bigint) is
  'Whether a difference of two versions is within the margin of a gate, by the bound of its interval. is_worse: all of the interval is '
  'beyond the margin. experiment, replay: what it is of; NULL: of labels that judge both.';

create or replace function pgscore_data._judge_segments(g pgscore_data.gate, this_version int, other int, other_name text,
  out passed boolean, out value double precision, out low double precision, out high double precision, out needs text, out reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  low_is_better constant boolean := pgscore_data._lower_is_better(g.metric);
  worst record;
begin
  -- By the predictions of the other version: a segment that this one never scored is not to be overlooked.
  with volume as (
    select s.segment_id, s.column_name, s.value, sum(c.n_predictions) as n,
           sum(sum(c.n_predictions)) over (partition by s.column_name) as total
      from pgscore_data.monitor m
      join pgscore_data.segment s on s.model_id = m.model_id and s.column_name = any (m.segments)
      join pgscore_data.cell_volume c on c.segment_id = s.segment_id
       and c.version_id = (select x.of_version from pgscore_data.counted_version x where x.version_id = other)
     where m.model_id = g.model_id and g.by_column in ('segments', s.column_name) group by s.segment_id
  ), judged as (
    select format('%s = %s', v.column_name, v.value) as segment, d.difference, d.low, d.high, j.*,
           case when j.passed or v.n < 0.01 * v.total and not j.is_worse then 2 when j.needs is null then 0 else 1 end as rank
      from volume v
      left join pgscore_data.compared_difference d
        on d.version_id = this_version and d.other_id = other and d.segment_id = v.segment_id and d.metric = g.metric
     cross join lateral pgscore_data._judge_difference(g, d, other_name, null, null) j
  ), placed as (
    select j.*, row_number() over (order by j.rank, case when low_is_better then - j.high else j.low end, j.segment) as place
      from judged j
  )
  select count(*) as n, count(*) filter (where p.rank = 2 and not p.passed) as small, count(*) filter (where p.rank < 2) as failed,
         string_agg(p.segment || ': ' || p.reason, '; ' order by p.place) filter (where p.rank < 2 and p.place <= 5) as reasons,
         string_agg(p.needs || ' in ' || p.segment, '; ' order by p.place) filter (where p.rank = 1 and p.place <= 5) as needs,
         (array_agg(p.difference order by p.place))[1] as difference, (array_agg(p.low order by p.place))[1] as low,
         (array_agg(p.high order by p.place))[1] as high into worst
    from placed p;
  passed := worst.n > 0 and worst.failed = 0;
  value := worst.difference;
  low := worst.low;
  high := worst.high;
  needs := case when worst.n = 0 then 'runs since the model has segments' else worst.needs end;
  reason := case when worst.n = 0 then format('%s has no predictions by segment', other_name)
    when worst.failed = 0 then format('none of %s segments is worse', worst.n)
      || case worst.small when 0 then '' else format('; %s have few predictions', worst.small) end
    else worst.reasons || case when worst.failed > 5 then format('; and %s more segments', worst.failed - 5) else '' end end;
end
$$;
comment on function pgscore_data._judge_segments(pgscore_data.gate, int, int, text) is
  'Whether a version, or a value of one, is within the margin of a gate in every segment. The value is that of the worst one.';

create or replace function pgscore_data._judge_pair(g pgscore_data.gate, this_version int, other int, other_name text,
  out passed boolean, out value double precision, out low double precision, out high double precision, out needs text, out reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  known record;
  is_known boolean;
  is_split boolean;
begin
  passed := false;
  if g.kind = 'not_worse' then
    select * into known from pgscore_data._gate_evidence(g, this_version, other);
    is_known := (known.difference).metric is not null;
  else
    is_known := exists (select from pgscore_data.compared_pair c
                         where c.version_id = this_version and c.other_id = other and c.n_days > 0 and c.by_segment);
  end if;
  if not is_known then
    is_split := exists (select from pgscore_data.experiment e join pgscore_data.experiment_arm a using (experiment_id)
                         where e.champion_version_id = other and a.version_id = this_version and e.kind <> 'shadow');
    needs := case
      when is_split and g.kind = 'not_worse' and exists (select from pgscore_data.experiment_metric k where k.metric = g.metric)
        then 'labels of both arms' else 'labels that judge both versions' || case when is_split then ', as of a shadow' else '' end end;
    reason := format('it is not compared with %s yet', other_name);
  elsif g.kind = 'no_segment_worse' then
    select j.* into passed, value, low, high, needs, reason from pgscore_data._judge_segments(g, this_version, other, other_name) j;
  else
    select (known.difference).difference, (known.difference).low, (known.difference).high, j.passed, j.needs, j.reason
      into value, low, high, passed, needs, reason
      from pgscore_data._judge_difference(g, known.difference, other_name, known.experiment, known.replay) j;
    if known.doubt is not null then
      needs := case when passed or known.experiment is not null then known.needs else needs end;
      reason := format('%s; %s', reason, known.doubt);
      passed := false;
    end if;
  end if;
end
$$;
comment on function pgscore_data._judge_pair(pgscore_data.gate, int, int, text) is
  'Whether a version, or a value of one, is within the margin of a gate, by what is known of both.';

create or replace function pgscore_data._judge_targets(g pgscore_data.gate, this_version int, other int, other_name text,
  out passed boolean, out value double precision, out low double precision, out high double precision, out needs text, out reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  low_is_better constant boolean := pgscore_data._lower_is_better(g.metric);
  found record;
begin
  with target as (
    -- By those of the other version: a target that this one does not give is not to be overlooked.
    select x.name, x.place, x.value_id as other_value, n.value_id
      from pgscore_data.version_value x
      left join pgscore_data.version_value n on n.version_id = this_version and n.name = x.name
     where x.version_id = other and x.name = coalesce(g.target, x.name)
  ), judged as (
    select t.name, t.place, j.*, coalesce(j.reason, 'this version does not give it') as said,
           case when j.passed then 2 when j.needs is not null then 1 else 0 end as rank
      from target t left join lateral pgscore_data._judge_pair(g, t.value_id, t.other_value, other_name) j on t.value_id is not null
  ), placed as (
    select j.*, row_number() over (order by j.rank, case when low_is_better then - j.high else j.low end, j.place) as n
      from judged j
  )
  select count(*) as n, count(*) filter (where p.rank < 2) as failed,
         string_agg(p.name || ': ' || p.said, '; ' order by p.n) filter (where p.rank < 2 and p.n <= 5) as reasons,
         string_agg(p.needs || ' for ' || p.name, '; ' order by p.n) filter (where p.rank = 1 and p.n <= 5) as needs,
         (array_agg(p.name || ': ' || p.said order by p.n))[1] as worst, (array_agg(p.value order by p.n))[1] as value,
         (array_agg(p.low order by p.n))[1] as low, (array_agg(p.high order by p.n))[1] as high into found
    from placed p;
  passed := found.n > 0 and found.failed = 0;
  value := found.value;
  low := found.low;
  high := found.high;
  needs := found.needs;
  reason := case when found.n = 0 then format('%s does not give %L', other_name, g.target)
    when found.failed = 0 and found.n = 1 then found.worst
    when found.failed = 0 then format('none of %s targets is worse; the nearest is %s', found.n, found.worst)
    else found.reasons || case when found.failed > 5 then format('; and %s more targets', found.failed - 5) else '' end end;
end
$$;
comment on function pgscore_data._judge_targets(pgscore_data.gate, int, int, text) is
  'Whether a version is within the margin of a gate in every target or label, or in the one of the gate. The value is that of the worst.';

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
  elsif task in ('multi_target', 'multilabel') then
    select j.* into passed, value, low, high, needs, reason from pgscore_data._judge_targets(g, this_version, other, other_name) j;
  else
    select j.* into passed, value, low, high, needs, reason from pgscore_data._judge_pair(g, this_version, other, other_name) j;
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
  if failed <> '{}' and not (coalesce((options ->> 'force')::boolean, false) and coalesce(options ->> 'reason', '') <> '') then
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
