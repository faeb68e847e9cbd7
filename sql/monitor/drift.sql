-- How far the features of a day are from the baseline.
-- in: touched_feature, cell_feature, feature_baseline. out: drift_value.

-- How likely a statistic at least as large is where nothing has changed: PostgreSQL knows the normal distribution at most.

create or replace function pgscore_data._erfc(z double precision) returns double precision
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  term double precision := z;
  total double precision := z;
  fraction double precision := 0;
begin
  -- Below it no square of z differs from nothing.
  if z < 1e-8 then
    return 1 - z * 1.1283791670955126;
  end if;
  if z < 2 then
    for n in 1..100 loop
      term := term * 2 * z * z / (2 * n + 1);
      total := total + term;
      exit when term < total * 1e-17;
    end loop;
    return 1 - 1.1283791670955126 * exp(- z * z) * total;
  end if;
  if z > 26 then
    return 0;
  end if;
  for k in reverse 80..1 loop
    fraction := k / 2.0::double precision / (z + fraction);
  end loop;
  return exp(- z * z) * 0.5641895835477563 / (z + fraction);
end
$$;
comment on function pgscore_data._erfc(double precision) is
  'The complementary error function of a number of at least 0, as scipy.special.erfc has it: by its series below 2, by its continued '
  'fraction from there on (Abramowitz and Stegun 7.1.6, 7.1.14). PostgreSQL has it from version 16 on.';

create or replace function pgscore_data._chi2_p_value(statistic double precision, degrees bigint) returns double precision
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  half constant double precision := statistic / 2;
  odd constant int := degrees % 2;
  term double precision;
  total double precision := 0;
begin
  if degrees < 1 then
    return null;
  end if;
  if half <= 0 then
    return 1;
  end if;
  if half > 700 then
    return 0;
  end if;
  if odd = 1 then
    total := pgscore_data._erfc(sqrt(half));
    term := exp(- half) * sqrt(half) * 1.1283791670955126;
  else
    term := exp(- half);
  end if;
  for k in 1..degrees / 2 loop
    total := total + term;
    exit when term < total * 1e-17;
    term := term * half / (k + odd / 2.0::double precision);
  end loop;
  return least(1, total);
end
$$;
comment on function pgscore_data._chi2_p_value(double precision, bigint) is
  'The probability of at least such a statistic under chi-squared with so many degrees of freedom, as scipy.stats.chi2.sf has it: the '
  'finite sums of Abramowitz and Stegun 26.4.4 and 26.4.5. NULL without a degree of freedom.';

create or replace function pgscore_data._ks_p_value(statistic double precision, n double precision, m double precision)
  returns double precision
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  -- Two series of one function, for small arguments and for large ones; e^-700 is the least that does not underflow.
  select case
           when x.at < 0.04 then 1
           when x.at < 1 then 1 - 2.5066282746310002 / x.at * (select sum(exp(greatest(-700,
               -1.2337005501361697 * (2 * k - 1) ^ 2 / x.at ^ 2))) from generate_series(1, 4) k)
           else 2 * (select sum(case k % 2 when 1 then 1 else -1 end * exp(greatest(-700, -2 * k ^ 2 * x.at ^ 2)))
                       from generate_series(1, 6) k)
         end
    from (select statistic * sqrt(n * m / (n + m)) as at) x;
end;
comment on function pgscore_data._ks_p_value(double precision, double precision, double precision) is
  'The probability of at least such a Kolmogorov-Smirnov distance of samples of n and m rows from one distribution: its limit for large '
  'samples, as scipy.special.kolmogorov has it.';

-- How far a day's features are from the baseline, for the days that a refresh touched.

create or replace function pgscore_data._chi2_995(df bigint) returns double precision
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
return case when df = 0 then 0 else (array[
  7.879438576622417, 10.596634733096073, 12.838156466598647, 14.860259000560243, 16.74960234363904, 18.547584178511087,
  20.27773987496262, 21.95495499065953, 23.589350781257387, 25.18817957197117, 26.756848916469636, 28.299518822046025,
  29.819471223653217, 31.31934962259528, 32.80132064579183, 34.26718653782669, 35.71846565900461, 37.15645145660674,
  38.58225655493424, 39.99684631293865, 41.40106477141761, 42.795654999308546, 44.18127524997109, 45.558511936530586,
  46.92789016008074, 48.28988233245682, 49.644915298994256, 50.993376268499446, 52.335617785933614, 53.671961930240585,
  55.002703880023894, 56.328114959710874, 57.64844525585854, 58.963925875519394, 60.274770904781015, 61.581179114757255,
  62.88333545374116, 64.18141235740624, 65.47557090346805, 66.76596183280391, 68.05272645544157, 69.33599745690042,
  70.61589961796635, 71.89255045899918, 73.16606081822505, 74.4365353721017, 75.70407310469471, 76.96876773204455, 78.23070808668994,
  79.48997846682893, 80.74665895401331, 82.00082570277534, 83.25255120516114, 84.50190453277642, 85.74895155864104,
  86.99375516087174, 88.23637540998219, 89.47686974138104, 90.71529311447577, 91.95169815962974])[df] end;
comment on function pgscore_data._chi2_995(bigint) is
'The 99.5 % quantile of chi-squared with up to 60 degrees of freedom, as scipy.stats.chi2.ppf(0.995, df) has it.';

create or replace function pgscore_data._take_touched(most int, only_set int) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with due as (
    select t.set_id, t.day, sum((select count(*) from pgscore_data.feature_bins b where b.set_id = t.set_id)) over (order by t.day desc,
        t.set_id) as upto, row_number() over (order by t.day desc, t.set_id) as position
      from (select x.set_id, x.day from pgscore_data.touched_feature x
             where only_set is null or x.set_id = only_set order by x.day desc, x.set_id limit most) t
  ), taken as (
    delete from pgscore_data.touched_feature t using due d where d.set_id = t.set_id and d.day = t.day
      and (d.upto <= most or d.position = 1)
      returning t.set_id, t.day
  )
  insert into pgscore_data.refresh_drift (set_id, day, feature, slot, part, center, w, b, psi_floor)
  select t.set_id, t.day, c.feature, x.slot,
         case k.kind
           when 'number' then case when x.slot <= 2 then x.slot when x.slot = k.n_bins + 3 then 13 else 2 + k.coarse[x.slot - 2] end
           else case when x.slot = 2 then k.n_bins + 3 else x.slot end end,
         case k.kind when 'number' then pgscore_data._measure(case x.slot when 1 then null when 2 then k.low when k.n_bins + 3 then k.high
                                                                else k.centers[x.slot - 2] end) end,
         x.w, x.b, s.psi_floor
    from taken t
   cross join lateral (
     select f.baseline_complete, m.psi_floor from pgscore_data.feature_set f join pgscore_data.version v using (version_id)
       join pgscore_data.monitor m using (model_id) where f.set_id = t.set_id offset 0) s
   cross join lateral (select c.feature, c.counts from pgscore_data.cell_feature c where c.set_id = t.set_id and c.day = t.day offset 0) c
   cross join lateral (select k.* from pgscore_data.feature_bins k where k.set_id = t.set_id and k.feature = c.feature offset 0) k
    left join lateral (select b.counts from pgscore_data.feature_baseline b
                        where b.set_id = t.set_id and b.feature = c.feature and s.baseline_complete offset 0) b on true
   cross join lateral unnest(c.counts, b.counts) with ordinality as x (w, b, slot);
end;
comment on function pgscore_data._take_touched(int, int) is
  'Lays out what the days whose drift is to be computed hold in each slot (of numbers, less than 1e-60 is 0: no double holds its square), '
  'and which part of the index the slot belongs to: missing, below, ten of bins, above; or missing, each category, any other.';

create or replace function pgscore_data._distances() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  -- Windows and one grouping, and no join before the features of a day are single rows: nothing tells the planner how many there are.
  with total as (
    select d.*, nullif(sum(d.w) over whole, 0) as n, nullif(sum(d.b) over whole, 0) as m, sum(d.w) over part as part_w,
           sum(d.b) over part as part_b, row_number() over (partition by d.set_id, d.day, d.feature, d.part order by d.slot) = 1 as leads,
           max(d.slot) over whole as last_slot, nullif(sum(case when d.slot > 1 then d.w end) over whole, 0) as n_values,
           nullif(sum(case when d.slot > 1 then d.b end) over whole, 0) as m_values,
           sum(d.b * d.center) over whole / nullif(sum(case when d.slot > 1 then d.b end) over whole, 0) as center_baseline,
           sum(case when d.slot > 1 then d.w end) over upto as upto_w, sum(case when d.slot > 1 then d.b end) over upto as upto_b,
           lead(d.center) over upto - d.center as step
      from pgscore_data.refresh_drift d
    window whole as (partition by d.set_id, d.day, d.feature), part as (partition by d.set_id, d.day, d.feature, d.part),
    upto as (partition by d.set_id, d.day, d.feature order by d.slot)
  ), share as (
    select t.*, t.part_w / t.n as pw, t.part_b / t.m as pb, (t.part_w + t.part_b) * t.n / (t.n + t.m) as expected_w,
           (t.part_w + t.part_b) * t.m / (t.n + t.m) as expected_b, t.leads and (t.part_w > 0 or t.part_b > 0) as counts,
           case t.part_w / t.n when 0 then t.psi_floor else t.part_w / t.n end as floored_w,
           case t.part_b / t.m when 0 then t.psi_floor else t.part_b / t.m end as floored_b,
           case when t.center is not null then abs(t.upto_w / t.n_values - t.upto_b / t.m_values) end as gap,
           -- Rows that are all of one sample: by chance, where each is as likely to be of either, one time in a thousand or more.
           t.leads and t.part_w * t.part_b = 0
             and t.part_w * ln((t.n + t.m) / t.n) + t.part_b * ln((t.n + t.m) / t.m) < 6.907755278982137 as by_chance
      from total t
  ), distance as (
    select s.set_id, s.day, s.feature, max(s.n) as n, max(s.m) as m, max(s.n_values) as n_values, max(s.m_values) as m_values,
           count(*) filter (where s.counts) as n_bins, max(s.psi_floor) as psi_floor,
           sum((s.floored_w - s.floored_b) * ln(s.floored_w / s.floored_b)) filter (where s.counts) as psi,
           coalesce(sum((s.floored_w - s.floored_b) * ln(s.floored_w / s.floored_b))
             filter (where s.counts and s.by_chance), 0) as psi_by_chance,
           count(*) filter (where s.counts and not s.by_chance) as n_beyond_chance,
           sqrt(greatest(0, (sum(case when s.pb > 0 then s.pb * ln(2 * s.pb / (s.pb + s.pw)) else 0 end + case
               when s.pw > 0 then s.pw * ln(2 * s.pw / (s.pb + s.pw)) else 0 end) filter (where s.counts)) / 2 / 0.6931471805599453)) as js,
           sum(least(1, 1 / least(s.expected_w, s.expected_b))) filter (where s.counts and not s.by_chance) as sparse,
           sum(abs(s.pw - s.pb)) filter (where s.leads) / 2 as tv, max(abs(s.pw - s.pb)) filter (where s.leads) as l_infinity,
           sum((s.part_w - s.expected_w) ^ 2 / s.expected_w + (s.part_b - s.expected_b) ^ 2 / s.expected_b) filter (where s.counts) as chi2,
           max(s.gap) as ks, sum(s.gap * s.step) / greatest(sqrt(sum(s.b * (s.center - s.center_baseline) ^ 2) / max(s.m_values)), 0.001)
             as wasserstein,
           sum(s.w) filter (where s.slot = 1) as missing, sum(s.b) filter (where s.slot = 1) as missing_baseline,
           sum(s.w) filter (where s.slot = 2) as low_or_new, sum(s.w) filter (where s.slot = s.last_slot) as above
      from share s group by s.set_id, s.day, s.feature
  )
  insert into pgscore_data.drift_value (set_id, day, feature, n, n_baseline, n_bins, psi, psi_floor, psi_noise_limit, js_distance_base2,
                                        ks_statistic, wasserstein_normed, tv_distance, l_infinity_distance, chi2_statistic, cramers_v,
    missing_rate, missing_rate_delta, out_of_range_rate, new_category_rate, mean, mean_delta, ks_p_value, chi2_p_value, status,
    undefined_reason)
  select a.set_id, a.day, a.feature, coalesce(a.n, 0), coalesce(a.m, 0), a.n_bins, a.psi, a.psi_floor, l.noise,
         case when a.m > 0 then a.js end, a.ks, a.wasserstein, a.tv, a.l_infinity, a.chi2,
         sqrt(a.chi2 / (a.n + a.m) / nullif(least(a.n_bins - 1, 1), 0)),
         a.missing / a.n, a.missing / a.n - a.missing_baseline / a.m, case k.kind when 'number' then (a.low_or_new + a.above) / a.n end,
         case when k.others is not null then a.low_or_new / a.n end,
         k.mean, k.mean - k.mean_baseline, pgscore_data._ks_p_value(a.ks, a.n_values, a.m_values),
         pgscore_data._chi2_p_value(a.chi2, a.n_bins - 1),
         case when coalesce(a.m, 0) < 200 or coalesce(a.n, 0) < greatest(200, 20 * a.n_bins) then 'insufficient_data'
           when a.psi >= greatest(k.psi_alert, l.noise) then 'alert' when a.psi >= greatest(k.psi_warning, l.noise) then 'warning'
             else 'ok' end,
         case when a.m is null then 'no_baseline' when a.n_values is null then 'no_values' when a.m_values is null then 'no_baseline_values'
           when a.n_bins = 1 then 'one_bin' end
    from distance a
   cross join lateral (
     select b.kind, b.others, round(c.sum / nullif(c.n_measured, 0), 100)::float8 as mean,
            round(x.sum / nullif(x.n_measured, 0), 100)::float8 as mean_baseline, mo.psi_warning, mo.psi_alert
       from pgscore_data.feature_bins b
       join pgscore_data.cell_feature c on c.set_id = b.set_id and c.feature = b.feature and c.day = a.day
       join pgscore_data.feature_set s on s.set_id = b.set_id
       join pgscore_data.version v using (version_id)
       join pgscore_data.monitor mo using (model_id)
       left join pgscore_data.feature_baseline x on x.set_id = b.set_id and x.feature = b.feature and s.baseline_complete
      where b.set_id = a.set_id and b.feature = a.feature offset 0) k
   cross join lateral (
     select a.psi_by_chance + (1 / a.n + 1 / a.m)
              * (pgscore_data._chi2_995(least(a.n_bins - 1, greatest(1, a.n_beyond_chance - 1))) + 3 * coalesce(a.sparse, 0)) as noise) l;
end;
comment on function pgscore_data._distances() is
'Computes the distances of the days that were laid out. b and w are shares of the baseline and of the day. PSI: sum of (w - b) ln(w / '
'b), a share of nothing on one side being the floor. Its noise limit is what it stays below in at least 99 % of windows where nothing '
'has changed. Then PSI is about (1/n + 1/m) times chi-squared with as many degrees of freedom as there are bins less one (Yurdakul and '
'Naranjo 2020, Statistical properties of the population stability index); its 99.5 % quantile, for the approach to it is slow. Bins of '
'few rows make PSI larger: 3 min(1, 1/e) for each is added to the quantile, e being the rows that the smaller sample would have in it. '
'A bin whose rows are all of one sample, as they are by chance at least one time in a thousand, counts by the floor: what it adds to '
'PSI is added to the limit, and it is none of those bins. Simulated with 2 to 53 bins as unequal as 1 to 10,000, windows of 200 to '
'20,000 rows, baselines of 200 to 100,000 and floors of 0.000001 to 0.01: 0 to 1 % of windows are beyond it (test/monitor/drift-noise).
KS and Wasserstein go over the hundred bins, the latter by their centers and divided by the standard deviation of the baseline''s (at '
'least 0.001); all others over the ten, with missing and what lies outside.';

create or replace function pgscore_data._compute_drift(only_set int default null) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set work_mem = '64MB'
as $$
begin
  if not exists (select from pgscore_data.touched_feature) or not pgscore_data._take_turn('cells') then
    return false;
  end if;
  truncate pgscore_data.refresh_drift;
  perform pgscore_data._take_touched(1000, only_set);
  analyze pgscore_data.refresh_drift;
  delete from pgscore_data.drift_value v using (select distinct d.set_id, d.day from pgscore_data.refresh_drift d) d
    where v.set_id = d.set_id and v.day = d.day;
  perform pgscore_data._distances();
  insert into pgscore_data.alert_due (version_id) select distinct f.version_id from pgscore_data.refresh_drift d
    join pgscore_data.feature_set f using (set_id);
  return exists (select from pgscore_data.touched_feature t where only_set is null or t.set_id = only_set);
end
$$;
comment on function pgscore_data._compute_drift(int) is
  'Brings the drift of touched days up to date, of all versions or of one, at most a thousand features of days, the '
  'newest first. True where more is waiting.';
