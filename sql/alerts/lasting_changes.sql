-- Slow, lasting changes for the worse: a one-sided CUSUM over the windows that a rule without a threshold looks at.

create or replace function pgscore_data._cusum_limit() returns double precision
language sql immutable
set search_path = pg_catalog, pg_temp
return 5;
comment on function pgscore_data._cusum_limit() is
'Evidence of a lasting change at which a rule is breached. Chosen by simulation, test/monitor/slow-drops/simulate.ts: about 0.1 false '
'alarms in 200 days at most where days vary by chance, 0.5 where they differ by a standard deviation of four points more.';

create or replace function pgscore_data._watches_lasting(rule pgscore_data.effective_alert) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
return rule.kind = 'performance' and rule.threshold is null
  and rule.direction = case rule.better when 'high' then 'below' when 'low' then 'above' end;
comment on function pgscore_data._watches_lasting(pgscore_data.effective_alert) is
  'Whether a rule watches for lasting changes: of performance, without a threshold, in the direction that is worse.';

create or replace function pgscore_data._cusum(
  before double precision, rule pgscore_data.effective_alert, usual double precision, spread double precision,
  reference_rows double precision,
  value double precision, half_width double precision, n bigint
) returns double precision
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- The change to be found: five points of what should be high, or to twice the errors; a tenth of what should be low.
  shift constant double precision := case rule.better when 'high' then greatest(0.01, least(0.05, rule.most - usual))
                                       else 0.1 * abs(usual) end;
  worse constant double precision := case rule.better when 'high' then usual - value else value - usual end;
  own_variance constant double precision := (half_width / 1.959963984540054) ^ 2;
  variance constant double precision := case when half_width is not null then greatest(spread / nullif(n, 0), own_variance) end;
  -- The usual value is an estimate, too: one standard error of it is forgiven.
  forgiven constant double precision := sqrt(greatest(spread, own_variance * n) / reference_rows);
  -- Of NULL, least() would make the largest step.
  step constant double precision := coalesce(shift * (worse - forgiven - shift / 2) / nullif(variance, 0), 0);
  -- No window alone is a lasting change: it takes three.
  most constant double precision := pgscore_data._cusum_limit() / 3;
begin
  return least(pgscore_data._cusum_limit(), greatest(0, before + greatest(-most, least(most, step))));
end
$$;
comment on function pgscore_data._cusum(double precision, pgscore_data.effective_alert, double precision, double precision,
                                        double precision, double precision, double precision, bigint) is
'Evidence of a lasting change after a window, from that before it: the CUSUM of Page (1954, Continuous inspection schemes, Biometrika '
'41), whose steps are the log-likelihood ratio of a normal mean that is worse by a shift against one that is as usual.
value, half_width (of its 95 % interval; NULL: there is none, and the window is no evidence) and n are of the window; usual, spread '
'(variance of a row''s share in a window''s value) and reference_rows of the windows that the threshold comes from. Variance is the '
'greater of that between windows and that of the interval, so days that differ by more than chance count for less.
Steps are cut to a third of the limit (winsorized), and the evidence stays at the limit while the change lasts, so that it clears as fast '
'as it came.';
