-- Estimates of weeks and months: the next refresh makes up for those of days that were estimated before.

insert into pgscore_data.estimate_due (version_id, day)
select x.version_id, x.day
  from (select e.version_id, e.day from pgscore_data.estimate e union select c.version_id, c.day from pgscore_data.class_estimate c) x
on conflict do nothing;
