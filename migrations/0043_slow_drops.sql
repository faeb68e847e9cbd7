-- Alerts watch for slow, lasting changes, say what they have to say in a sentence, and know whether anybody is told.

create type pgscore_data.watched_window as (
  rule text,
  grain text,
  column_name text,
  window_start timestamptz,
  window_end timestamptz,
  value double precision,
  ci_low double precision,
  ci_high double precision,
  n bigint,
  noise_limit double precision,
  is_enough boolean
);
comment on type pgscore_data.watched_window is 'A window as a rule sees it that may look at days, weeks or months. is_enough: it can be judged.';

alter table pgscore_data.alert_window
  add column cusum double precision,
  add column lasting_since timestamptz,
  add column lasting_value double precision,
  add column usual_value double precision;
comment on column pgscore_data.alert_window.cusum is 'Evidence of a lasting change for the worse, after this window; NULL: the rule does not watch for one.';
comment on column pgscore_data.alert_window.lasting_since is 'First window since the evidence was last none.';
comment on column pgscore_data.alert_window.lasting_value is 'Mean of the windows since then, by their rows.';
comment on column pgscore_data.alert_window.usual_value is 'Mean of the windows that the threshold comes from.';

alter table pgscore_data.alert add column detail text;
comment on column pgscore_data.alert.detail is 'What the window said, as the second half of a sentence.';
alter table pgscore_data.alert_event add column message text, add column has_webhook boolean not null default true;
comment on column pgscore_data.alert_event.message is 'The event as a sentence.';
comment on column pgscore_data.alert_event.has_webhook is 'Whether a service told alerts to a webhook when it was written.';
update pgscore_data.alert_event e
   set message = format('%s of %s is %s.', e.rule, m.name, case e.event when 'no_data' then 'without data' when 'reminder' then 'still raised' else e.event end)
  from pgscore_data.model m where m.model_id = e.model_id;

alter table pgscore_data.worker add column has_webhook boolean not null default false;
comment on column pgscore_data.worker.has_webhook is 'Whether it tells alerts to a webhook.';
