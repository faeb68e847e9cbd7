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
  -- Below it no square of z can be told from nothing.
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
