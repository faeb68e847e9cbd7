-- Alerts: rules, what they said of each window, where they stand now, and the events that are sent to a webhook.

create table pgscore_data.alert_rule (
  model_id int not null references pgscore_data.model on delete cascade,
  name text not null check (name <> '' and octet_length(name) <= 200),
  metric text not null,
  grain text not null check (grain in ('auto', 'day', 'week', 'month')),
  column_name text,
  threshold double precision check (threshold not in ('NaN', 'Infinity', '-Infinity')),
  clear_at double precision check (clear_at not in ('NaN', 'Infinity', '-Infinity')),
  direction text not null check (direction in ('below', 'above', 'outside')),
  severity text not null check (severity in ('info', 'warning', 'critical')),
  for_windows int not null,
  of_windows int not null,
  min_samples bigint not null check (min_samples >= 0),
  keep_firing_for interval not null check (keep_firing_for >= interval '0'),
  enabled boolean not null default true,
  set_by name not null,
  set_at timestamptz not null default clock_timestamp(),
  primary key (model_id, name),
  check (for_windows between 1 and of_windows and of_windows <= 100)
);
comment on table pgscore_data.alert_rule is
  'Rules that somebody set for a model. One takes the place of the default rule of its name; where it is not enabled, there is none.';
comment on column pgscore_data.alert_rule.grain is
  'auto, of drift: days, or where these have too few rows weeks, or where these have months.';
comment on column pgscore_data.alert_rule.threshold is 'NULL: from the mean and spread of earlier windows.';
comment on column pgscore_data.alert_rule.clear_at is 'Value at which a raised alert clears; NULL: somewhat better than the threshold.';
comment on column pgscore_data.alert_rule.for_windows is 'Raised by so many of the last of_windows windows.';

create table pgscore_data.feed_day (
  model_id int not null references pgscore_data.model on delete cascade,
  feed text not null check (feed in ('scoring', 'labels')),
  day timestamptz not null,
  last_at timestamptz not null,
  primary key (model_id, feed, day)
) with (fillfactor = 70);
comment on table pgscore_data.feed_day is
  'Local days on which a model was scored or its labels changed, by when that happened: how regular both are.';

create table pgscore_data.alert_clock (
  singleton boolean primary key default true check (singleton),
  last_at timestamptz not null,
  rest_until timestamptz not null default '-infinity',
  watches_at timestamptz not null default '-infinity'
) with (fillfactor = 70);
comment on table pgscore_data.alert_clock is 'When the alerts of all models were last looked at, for what time alone brings about.';
comment on column pgscore_data.alert_clock.rest_until is 'No service looks again before: ten times as long as the last look took.';
comment on column pgscore_data.alert_clock.watches_at is 'When it was last looked how late watches are.';
insert into pgscore_data.alert_clock (last_at) values ('-infinity');

create table pgscore_data.alert_due (version_id int not null);
comment on table pgscore_data.alert_due is
  'Versions whose windows or rules changed since alerts were last looked at. Rows are only added, so that nobody waits; who looks takes '
  'them away.';

create table pgscore_data.alert_window (
  model_id int not null references pgscore_data.model on delete cascade,
  version_id int not null,
  metric text not null,
  grain text not null,
  column_name text not null,
  window_start timestamptz not null,
  rule text not null,
  window_end timestamptz not null,
  value double precision,
  n bigint,
  lower_threshold double precision,
  upper_threshold double precision,
  cusum double precision,
  lasting_since timestamptz,
  lasting_value double precision,
  usual_value double precision,
  is_eligible boolean not null,
  is_usable boolean not null,
  is_breach boolean not null,
  state text not null,
  said_at timestamptz not null default clock_timestamp(),
  primary key (model_id, version_id, metric, grain, column_name, window_start, rule)
) with (fillfactor = 70);
comment on table pgscore_data.alert_window is
  'What a rule said of a window. Beyond the horizon it stands as it was said in time: a late label does not change it.';
comment on column pgscore_data.alert_window.version_id is '0: the rule is about the model, whatever its version.';
comment on column pgscore_data.alert_window.column_name is 'Empty: the rule is about no column.';
comment on column pgscore_data.alert_window.cusum is
  'Evidence of a lasting change for the worse, after this window; NULL: the rule does not watch for one.';
comment on column pgscore_data.alert_window.lasting_since is 'First window since the evidence was last none.';
comment on column pgscore_data.alert_window.lasting_value is 'Mean of the windows since then, by their rows.';
comment on column pgscore_data.alert_window.usual_value is 'Mean of the windows that the threshold comes from.';
comment on column pgscore_data.alert_window.is_eligible is 'Whether the window was mature, and of enough rows.';
comment on column pgscore_data.alert_window.is_usable is 'Whether there was a threshold to judge it by, too.';
comment on column pgscore_data.alert_window.said_at is 'What was said before a rule was set anew does not count.';

create table pgscore_data.alert (
  fingerprint text primary key,
  model_id int not null references pgscore_data.model on delete cascade,
  rule text not null,
  version_id int not null,
  column_name text not null,
  metric text not null,
  grain text not null,
  kind text not null,
  severity text not null,
  state text not null check (state in ('ok', 'pending', 'firing', 'no_data', 'insufficient_data')),
  since timestamptz not null,
  window_start timestamptz,
  window_end timestamptz,
  value double precision,
  n bigint,
  lower_threshold double precision,
  upper_threshold double precision,
  last_event_at timestamptz,
  detail text,
  unique (model_id, rule, version_id, column_name)
) with (fillfactor = 70);
comment on table pgscore_data.alert is 'Where each rule stands, a row a version and column that it is about.';
comment on column pgscore_data.alert.since is 'When it came into this state.';
comment on column pgscore_data.alert.last_event_at is 'When the last event of it was written, while it is raised.';
comment on column pgscore_data.alert.detail is 'What the window said, as the second half of a sentence.';

create table pgscore_data.alert_event (
  event_id bigint generated always as identity primary key,
  at timestamptz not null,
  fingerprint text not null,
  model_id int not null references pgscore_data.model on delete cascade,
  rule text not null,
  version_id int not null,
  column_name text not null,
  metric text not null,
  grain text not null,
  kind text not null,
  severity text not null,
  event text not null check (event in ('firing', 'no_data', 'reminder', 'resolved')),
  reason text,
  message text,
  began_at timestamptz not null,
  window_start timestamptz,
  window_end timestamptz,
  value double precision,
  n bigint,
  lower_threshold double precision,
  upper_threshold double precision,
  is_digest boolean not null,
  due_at timestamptz not null,
  next_attempt_at timestamptz not null,
  attempts int not null default 0,
  delivered_at timestamptz,
  has_webhook boolean not null default true,
  error text
) with (fillfactor = 70);
comment on table pgscore_data.alert_event is
  'Outbox of alerts: what was raised and resolved, with the values of that moment. The service sends it to the webhook; an event that '
  'waits for a day is given up.';
comment on column pgscore_data.alert_event.message is 'The event as a sentence.';
comment on column pgscore_data.alert_event.began_at is 'When the alert was raised.';
comment on column pgscore_data.alert_event.next_attempt_at is
  'When to try next; while it is being sent, when another service may take it for lost.';
comment on column pgscore_data.alert_event.has_webhook is 'Whether a service sent alerts to a webhook when it was written.';
create index alert_event_waiting on pgscore_data.alert_event (next_attempt_at) where delivered_at is null;
create index alert_event_of_model on pgscore_data.alert_event (model_id, event_id);

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
comment on type pgscore_data.watched_window is
  'A window as a rule sees it that may look at days, weeks or months. is_enough: it can be judged.';
