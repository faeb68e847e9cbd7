-- Intervals of 95 %: of shares, of mean errors and of ROC AUC, where several pairs may be of one entity.
--
-- For views they are texts of expressions, as a function in a view needs EXECUTE of whoever reads it; for the service's
-- functions the same expressions stand in functions. test/monitor/intervals holds them to 93 %.

create or replace function pgscore_data._wilson_bound(hits text, misses text, n text, side text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return case side when '-' then format('case when (%2$s > 0) is not true then null when %1$s <= 0.5 then 0 when %1$s > 0.5 then '
    || '(%1$s + 1.4207294103470627 - 1.959963984540054 '
    || '* sqrt((%1$s - 0.5) * (1 - (%1$s - 0.5) / %2$s) + 0.9603647051735313)) / (%2$s + 3.8414588206941254) end', hits, n)
  else format('case when (%2$s > 0) is not true then null when %3$s <= 0.5 then 1 when %3$s > 0.5 then '
    || '(%1$s + 2.4207294103470627 + 1.959963984540054 '
    || '* sqrt((%1$s + 0.5) * (1 - (%1$s + 0.5) / %2$s) + 0.9603647051735313)) / (%2$s + 3.8414588206941254) end', hits, n, misses) end;
comment on function pgscore_data._wilson_bound(text, text, text, text) is
'The expression of a bound of Wilson''s 95 % interval with continuity correction (Newcombe 1998, method 4) of a share whose hits and '
'misses are distinguished; side is - or +. Half a hit and less has the bound 0, half a miss 1.';

create or replace function pgscore_data._wilson(hits text, n text, side text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._wilson_bound(format('(%s)::float8', hits), format('((%s) - (%s))::float8', n, hits),
  format('(%s)::float8', n), side);
comment on function pgscore_data._wilson(text, text, text) is
'The expression of a bound of the 95 % interval of hits in n, where each is of another entity; side is - or +.';

create or replace function pgscore_data._wilson(hits text, n text, n_effective text, side text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._wilson_bound(format('((%s)::float8 / nullif(%s, 0) * %s)', hits, n, n_effective),
  format('(((%2$s) - (%1$s))::float8 / nullif(%2$s, 0) * %3$s)', hits, n, n_effective), format('(%s)::float8', n_effective), side);
comment on function pgscore_data._wilson(text, text, text, text) is
  '_wilson() of hits in n that are not independent: n_effective is how many independent ones would tell as much.';

create or replace function pgscore_data._t_quantile(degrees text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format('(1.959963984540054 + (2.372271230298562 + (2.8224986157396112 + (2.555849679507722 + 1.5895340533938225 '
  || '/ (%1$s)) / (%1$s)) / (%1$s)) / (%1$s))', degrees);
comment on function pgscore_data._t_quantile(text) is
'The expression of the 97.5 % quantile of Student''s t (Abramowitz and Stegun 26.7.5): too small by 0.75 % at 2 degrees of freedom, '
'0.12 % at 3, 0.01 % at 5, less than 1e-5 of it from 9 on.';

create or replace function pgscore_data._n_effective(n text, hits text, sum_m2 text, sum_cm text, sum_c2 text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format($q$(
  select case when k.m2 = k.n then k.n when k.kish * least(k.p, 1 - k.p) < 30 then k.kish
      else k.n / greatest(1, k.kish / (k.kish - 1)
        * (k.c2 - 2 * k.p * k.cm + k.p ^ 2 * k.m2) / (k.n * k.p * (1 - k.p))) * (1.959963984540054 / %6$s) ^ 2 end
    from (select s.*, s.n ^ 2 / nullif(s.m2, 0) as kish, s.hits / nullif(s.n, 0) as p
            from (select (%1$s)::float8 as n, (%2$s)::float8 as hits, (%3$s)::float8 as m2, (%4$s)::float8 as cm,
                         (%5$s)::float8 as c2) s) k)$q$,
  n, hits, sum_m2, sum_cm, sum_c2, pgscore_data._t_quantile('(k.kish - 1)'));
comment on function pgscore_data._n_effective(text, text, text, text, text) is
'The expression of how many independent pairs tell as much of the share hits / n. An entity has m pairs and c hits; the sums over '
'entities are of m^2, c m and c^2. Kish 1965 where too little is known, else the cluster-robust variance (Rao and Scott 1992) with t '
'of n_K - 1 degrees: its square is part of the value, as Wilson''s interval depends on z^2 / n only.';

create or replace function pgscore_data._least_n_effective(part text, pairs2 text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format('(%1$s)::float8 ^ 2 / nullif(%1$s + %2$s, 0)', part, pairs2);
comment on function pgscore_data._least_n_effective(text, text) is
'The expression of how many independent pairs a part of a window tells as much as, at least: the pairs of one class, say. pairs2 is the '
'sum of m^2 - m over the entities of the whole window, m being the pairs of one (Kish 1965).';

create or replace function pgscore_data._mean_bound(n text, total text, squares text, n_effective text, side text, factor text, extra text)
  returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format($q$case when %4$s >= 2 and %2$s > 0 then %2$s / %1$s
    * exp(least(50, %5$s * sqrt(greatest(0, %3$s / %1$s / (%2$s / %1$s) / (%2$s / %1$s) - 1) / (%4$s - 1))%6$s)) end$q$,
  n, total, squares, n_effective,
  case side when '-' then '-1.959963984540054' else factor || ' * 1.959963984540054' end,
  case side when '-' then '' else format(' + %s / (%s - 1)', extra, n_effective) end);
comment on function pgscore_data._mean_bound(text, text, text, text, text, text, text) is
'The expression of a bound of the 95 % interval of the mean of n that are not negative, given their total and that of their squares: '
'by the delta method on the log scale. The upper bound is wider by a factor and by extra / (n_effective - 1), since a sample of heavy '
'tails seldom shows its spread.';

create or replace function pgscore_data._mae_bound(n text, abs_error text, error2 text, n_effective text, side text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._mean_bound(n, abs_error, error2, n_effective, side, '1.1', '4');
comment on function pgscore_data._mae_bound(text, text, text, text, text) is
'The expression of a bound of the 95 % interval of the mean absolute error; what it is widened by holds for errors of t with 3 '
'degrees of freedom and for lognormal ones, by simulation.';

create or replace function pgscore_data._rmse_bound(n text, error2 text, error4 text, n_effective text, side text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format('sqrt(%s)', pgscore_data._mean_bound(n, error2, error4, n_effective, side, '2', '25'));
comment on function pgscore_data._rmse_bound(text, text, text, text, text) is
'The expression of a bound of the 95 % interval of the root mean squared error, from second and fourth powers, as Bonett 2006 has it of '
'a standard deviation.';

do $do$
begin
  execute format($q$
    create or replace function pgscore_data._student_t(degrees double precision) returns double precision
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp
    return %s$q$, pgscore_data._t_quantile('degrees'));
  execute format($q$
    create or replace function pgscore_data._share_interval(hits double precision, n double precision, n_effective double precision,
      out low double precision, out high double precision)
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp
    begin atomic
      select %s, %s;
    end$q$,
    pgscore_data._wilson('hits', 'n', 'n_effective', '-'), pgscore_data._wilson('hits', 'n', 'n_effective', '+'));
  execute format($q$
    create or replace function pgscore_data._mae_interval(n double precision, abs_error double precision, error2 double precision,
      n_effective double precision, out low double precision, out high double precision)
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp
    begin atomic
      select %s, %s;
    end$q$,
    pgscore_data._mae_bound('n', 'abs_error', 'error2', 'n_effective', '-'),
    pgscore_data._mae_bound('n', 'abs_error', 'error2', 'n_effective', '+'));
  execute format($q$
    create or replace function pgscore_data._rmse_interval(n double precision, error2 double precision, error4 double precision,
      n_effective double precision, out low double precision, out high double precision)
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp
    begin atomic
      select %s, %s;
    end$q$,
    pgscore_data._rmse_bound('n', 'error2', 'error4', 'n_effective', '-'),
    pgscore_data._rmse_bound('n', 'error2', 'error4', 'n_effective', '+'));
  execute format($q$
    create or replace function pgscore_data._effective_share(n double precision, hits double precision, sum_m2 double precision,
      sum_cm double precision, sum_c2 double precision) returns double precision
    language sql immutable set search_path = pg_catalog, pg_temp
    return %s$q$, pgscore_data._n_effective('n', 'hits', 'sum_m2', 'sum_cm', 'sum_c2'));
end
$do$;
comment on function pgscore_data._student_t(double precision) is 'The 97.5 % quantile of Student''s t, as _t_quantile() approximates it.';
comment on function pgscore_data._effective_share(double precision, double precision, double precision, double precision, double precision)
is 'How many independent pairs tell as much of the share hits / n, as _n_effective() has it.';
comment on function pgscore_data._share_interval(double precision, double precision, double precision) is
'The 95 % interval of hits in n that tell as much as n_effective.';
comment on function pgscore_data._mae_interval(double precision, double precision, double precision, double precision) is
'The 95 % interval of a mean absolute error.';
comment on function pgscore_data._rmse_interval(double precision, double precision, double precision, double precision) is
'The 95 % interval of a root mean squared error.';

create or replace function pgscore_data._newcombe_bound(auc double precision, positives double precision, negatives double precision,
  outer_bound double precision, quantile double precision) returns double precision
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  inside double precision := auc;
  outside double precision := outer_bound;
  x double precision;
begin
  -- Halved until a double tells no more.
  for n in 1..60 loop
    x := (inside + outside) / 2;
    if (auc - x) ^ 2 <= quantile ^ 2 * x * (1 - x) / (positives * negatives)
      * (1 + ((positives + negatives) / 2 - 1) * ((1 - x) / (2 - x) + x / (1 + x))) then
      inside := x;
    else
      outside := x;
    end if;
  end loop;
  return inside;
end
$$;
comment on function
  pgscore_data._newcombe_bound(double precision, double precision, double precision, double precision, double precision) is
'A bound of an AUC by Newcombe 2006, method 5: between the AUC and outer_bound, 0 or 1, the last value that the AUC found does not '
'refute. Newcombe takes the quantile of the normal distribution.';

create or replace function pgscore_data._auc_interval(auc double precision, positives double precision, negatives double precision,
  beats_variance double precision, loses_variance double precision, out low double precision, out high double precision,
  out standard_error double precision)
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  quantile double precision;
  logit double precision;
  margin double precision;
begin
  if least(positives, negatives) >= 2 and auc is not null then
    quantile := pgscore_data._student_t(least(positives, negatives) - 1);
    low := pgscore_data._newcombe_bound(auc, positives, negatives, 0, quantile);
    high := pgscore_data._newcombe_bound(auc, positives, negatives, 1, quantile);
    standard_error := sqrt(beats_variance / (positives - 1) + loses_variance / (negatives - 1));
    if auc > 0 and auc < 1 then
      logit := ln(auc / (1 - auc));
      margin := quantile * standard_error / (auc * (1 - auc));
      low := least(low, 1 / (1 + exp(least(700, margin - logit))));
      high := greatest(high, 1 / (1 + exp(greatest(-700, - margin - logit))));
    end if;
  end if;
end
$$;
comment on function pgscore_data._auc_interval(double precision, double precision, double precision, double precision, double precision) is
'The 95 % interval of an AUC, of so many positives and negatives that are independent: what both Newcombe 2006, method 5, and DeLong 1988 '
'on the logit scale leave open, with t of the smaller class. The former has a width where the classes are apart; the latter does not ask '
'that scores are spread alike. The variances are of the share of negatives below a positive and of positives above a negative, divided '
'by n. standard_error is that of DeLong, of the AUC itself. All are NULL with less than two of a class.';
