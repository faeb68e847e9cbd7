-- What features are counted in: bins that are frozen once per version, from what it scored first, or from what somebody says of its
-- training.

-- Without a SET of theirs these inline into the query, where each value would cost ten times as much; a body like this is bound when it is
-- created.
create or replace function pgscore._number_slot(x double precision, low double precision, high double precision, edges double precision[])
  returns smallint
language sql immutable parallel safe
return (case when x is null or x = 'NaN' then 1 when low is null then 3 when x < low then 2 when x > high then cardinality(edges) + 4
          else width_bucket(x, edges) + 3 end)::smallint;
comment on function pgscore._number_slot(double precision, double precision, double precision, double precision[]) is
  'Where a number is counted: 1 missing, 2 below the bins, then the bins, then above them.';

create or replace function pgscore._category_slot(category text, categories text[], others text[]) returns smallint
language sql immutable parallel safe
return (case
  when category is null then 1
  when octet_length(category) > 200 then cardinality(categories) + 3
  else coalesce(array_position(categories, category) + 2,
                case when others is null or category = any (others) then cardinality(categories) + 3 else 2 end)
end)::smallint;
comment on function pgscore._category_slot(text, text[], text[]) is
  'Where a category is counted: 1 missing, 2 new, then those that have a bin, then any other. Texts of more than 200 bytes are others.';

create or replace function pgscore_data._watched(this_version int) returns table (feature smallint, name text, kind text)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select n::smallint, f ->> 'name', case when f ->> 'type' in ('string', 'bool') then 'category' else 'number' end
    from pgscore_data.version v cross join jsonb_array_elements(v.signature -> 'features') with ordinality as x (f, n)
   where v.version_id = this_version and (f ->> 'width')::int = 1
   order by n limit 200;
end;
comment on function pgscore_data._watched(int) is 'The features of a version that are watched: the first 200 that are no arrays.';

create or replace function pgscore_data._coarse(counts bigint[]) returns smallint[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- A bin belongs to the tenth in which it begins; half a hundredth of tolerance, as the cuts of n values lie up to 1/n early.
  with below as (select n, floor(10.0 * (sum(c) over (order by n) - c) / nullif(sum(c) over (), 0) + 0.05) as tenth
                   from unnest(counts) with ordinality as x (c, n)),
       ranked as (select n, dense_rank() over (order by tenth) as part from below)
  select coalesce(array_agg(least(part, 10)::smallint order by n), '{}') from ranked
$$;
comment on function pgscore_data._coarse(bigint[]) is 'Merges up to a hundred bins with these counts into ten of about the same weight.';

create or replace function pgscore_data._number_bins(numbers double precision[], out low double precision, out high double precision,
                                                     out edges double precision[], out centers double precision[], out coarse smallint[])
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  with value as materialized (
    select x from unnest(numbers) x where abs(x) < 1e60
  ), cut as materialized (
    select min(v.x) as low, max(v.x) as high,
           percentile_disc(array(select i / 100.0::float8 from generate_series(1, 99) i)) within group (order by v.x) as cuts from value v
  ), edged as materialized (
    select c.low, c.high, array(select distinct e from unnest(c.cuts) e where e > c.low order by e) as edges from cut c
  ), bin as (
    select width_bucket(v.x, e.edges) as bin, count(*) as n, avg(v.x) as center from value v cross join edged e group by 1
  )
  select e.low, e.high, e.edges, coalesce(b.centers, '{}'), pgscore_data._coarse(coalesce(b.counts, '{}'))
    from edged e cross join (select array_agg(b.center order by b.bin) as centers, array_agg(b.n order by b.bin) as counts from bin b) b
$$;
comment on function pgscore_data._number_bins(double precision[]) is
  'Up to a hundred bins that hold the same share of the numbers each; fewer where values repeat, none where there is no number.';

create or replace function pgscore_data._category_bins(texts text[], out categories text[], out others text[])
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  with ranked as (
    select t.t, count(*) as n, row_number() over (order by count(*) desc, t.t collate "C") as rank from unnest(texts) as t (t)
     where octet_length(t.t) <= 200 group by t.t
  )
  select coalesce(array_agg(r.t order by r.rank) filter (where r.rank <= 50 and r.n >= 10), '{}'),
         case when count(*) filter (where r.rank > 50 or r.n < 10) <= 1000
           then coalesce(array_agg(r.t order by r.rank) filter (where r.rank > 50 or r.n < 10), '{}') end
    from ranked r
$$;
comment on function pgscore_data._category_bins(text[]) is
  'The fifty categories that are most frequent, and up to a thousand others; NULL where those are more. Analysts see the first: what '
  'occurs less than ten times, such as a name, is among the others.';

create or replace function pgscore_data._add_bins(this_set int, this_feature smallint, feature_name text, feature_kind text,
                                                  numbers double precision[], texts text[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.feature_bins (set_id, feature, name, kind, n_bins, low, high, edges, centers, coarse)
  select this_set, this_feature, feature_name, 'number', cardinality(b.centers), b.low, b.high, b.edges, b.centers, b.coarse
    from pgscore_data._number_bins(numbers) b where feature_kind = 'number';
  insert into pgscore_data.feature_bins (set_id, feature, name, kind, n_bins, categories, others)
  select this_set, this_feature, feature_name, 'category', cardinality(b.categories), b.categories, b.others
    from pgscore_data._category_bins(texts) b where feature_kind = 'category';
end;
comment on function pgscore_data._add_bins(int, smallint, text, text, double precision[], text[]) is
  'Makes the bins of a feature from values of it.';

create or replace function pgscore_data._new_set(this_version int, origin text) returns int
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_set int;
begin
  if exists (select from pgscore_data.feature_set s where s.version_id = this_version)
    or not exists (select from pgscore_data._watched(this_version))
    -- Calls may be kept after their version was dropped.
    or exists (select from pgscore_data.version v where v.version_id = this_version and v.state = 'dropped') then
    return null;
  end if;
  insert into pgscore_data.feature_set (version_id, baseline) values (this_version, origin) on conflict (version_id) do nothing
    returning set_id into this_set;
  return this_set;
end
$$;
comment on function pgscore_data._new_set(int, text) is
  'Begins the bins of a version; NULL where they are there, where there is no feature to watch, or where it is dropped.';

create or replace function pgscore_data._freeze_bins(this_version int, samples jsonb) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  this_set int := pgscore_data._new_set(this_version, 'first_runs');
begin
  if this_set is not null then
    perform pgscore_data._add_bins(this_set, w.feature, w.name, w.kind,
      array(select x::float8 from jsonb_array_elements_text(coalesce(nullif(s -> 'numbers', 'null'), '[]')) x where w.kind = 'number'),
      array(select jsonb_array_elements_text(coalesce(nullif(s -> 'texts', 'null'), '[]'))))
      from pgscore_data._watched(this_version) w left join jsonb_array_elements(samples) s on (s ->> 'feature')::smallint = w.feature;
  end if;
end
$$;
comment on function pgscore_data._freeze_bins(int, jsonb) is
  'Freezes the bins of a version from values of its features: [{"feature": 1, "numbers": […]}, {"feature": 2, "texts": […]}]. Where they '
  'are frozen it does nothing.';

create or replace function pgscore_data._keep_training_baseline() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  this_set int;
begin
  this_set := pgscore_data._new_set(new.version_id, 'training');
  insert into pgscore_data.feature_bins (set_id, feature, name, kind, n_bins, low, high, edges, centers, coarse, categories, others)
  select this_set, w.feature, w.name, w.kind, cardinality(b.counts) - 3, b.low, b.high, b.edges, b.centers,
         case w.kind when 'number' then pgscore_data._coarse(b.counts[3:cardinality(b.counts) - 1]) end, b.categories, b.others
    from pgscore_data._watched(new.version_id) w
    join jsonb_to_recordset(new.facts -> 'baseline') b (feature smallint, counts bigint[], low float8, high float8, edges float8[],
                                                        centers float8[], categories text[], others text[]) using (feature);
  insert into pgscore_data.feature_baseline (set_id, feature, counts, n_measured, sum)
  select this_set, b.feature, b.counts, b.measured, pgscore_data._exactly(b.sum)
    from jsonb_to_recordset(new.facts -> 'baseline') b (feature smallint, counts bigint[], measured bigint, sum float8);
  update pgscore_data.feature_set s set baseline_complete = true,
         baseline_rows = (select min((select sum(c) from unnest(b.counts) c)) from pgscore_data.feature_baseline b
                           where b.set_id = this_set) where s.set_id = this_set;
  return null;
exception when others then
  raise warning 'the training statistics of version % are not used: %', new.version_id, sqlerrm;
  return null;
end
$$;
comment on function pgscore_data._keep_training_baseline() is
  'Takes the training statistics of a version that passed its check, which the check has read, for its bins and its baseline.';

create or replace trigger keep_training_baseline after update of state on pgscore_data.version
for each row when (new.state = 'ready' and old.state = 'checking'
                   and jsonb_typeof(new.facts -> 'baseline') = 'array') execute function pgscore_data._keep_training_baseline();

create or replace function pgscore_data._forget_features() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from pgscore_data.feature_sample s where s.version_id = new.version_id;
  delete from pgscore_data.feature_set s where s.version_id = new.version_id;
  return null;
end
$$;
comment on function pgscore_data._forget_features() is
  'A version that is dropped loses what was known of its features; categories are data of somebody.';

create or replace trigger forget_features after update of state on pgscore_data.version
for each row when (new.state = 'dropped') execute function pgscore_data._forget_features();
