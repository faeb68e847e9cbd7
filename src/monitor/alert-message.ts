import type { AlertEvent } from './alert-event.ts';

type Texts = Readonly<Record<string, string>>;
type MessageStatus = 'firing' | 'resolved';

type MessageAlert = {
  readonly status: MessageStatus;
  readonly labels: Texts;
  readonly annotations: Texts;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
  readonly fingerprint: string;
};

/** What Alertmanager posts to a webhook, version 4: many receivers read it already. */
export type AlertMessage = {
  readonly version: '4';
  readonly groupKey: string;
  readonly truncatedAlerts: number;
  readonly status: MessageStatus;
  readonly receiver: string;
  readonly groupLabels: Texts;
  readonly commonLabels: Texts;
  readonly commonAnnotations: Texts;
  readonly externalURL: string;
  readonly alerts: readonly MessageAlert[];
};

/** Go's zero time, by which Alertmanager says that an alert has not ended. */
const NOT_ENDED = '0001-01-01T00:00:00Z';

/** The message about the events of one model, or about the digest of a day. */
export function alertMessage(events: readonly AlertEvent[]): AlertMessage {
  const alerts = events.map(messageAlert);
  const [first] = events;
  const groupLabels: Texts = first === undefined || first.is_digest ? { kind: 'drift' } : { model: first.model };
  const named = Object.entries(groupLabels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return {
    version: '4',
    groupKey: `{}:{${named.join(',')}}`,
    truncatedAlerts: 0,
    status: alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    receiver: 'pgscore',
    groupLabels,
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    externalURL: '',
    alerts,
  };
}

function messageAlert(event: AlertEvent): MessageAlert {
  const resolved = event.event === 'resolved';
  return {
    status: resolved ? 'resolved' : 'firing',
    labels: given({
      alertname: event.alert,
      model: event.model,
      version: event.version,
      metric: event.metric,
      column: event.column_name,
      // Labels say which alert it is, and one about drift may be raised by a week and resolved by a day.
      grain: event.kind === 'drift' ? null : event.grain,
      kind: event.kind,
      severity: event.severity,
    }),
    annotations: given({
      summary: summary(event),
      event_id: event.event_id,
      event: event.event,
      reason: event.reason,
      value: event.value,
      lower_threshold: event.lower_threshold,
      upper_threshold: event.upper_threshold,
      n: event.n,
      grain: event.grain,
      window_start: event.window_start?.toISOString(),
      window_end: event.window_end?.toISOString(),
    }),
    startsAt: event.began_at.toISOString(),
    endsAt: resolved ? event.at.toISOString() : NOT_ENDED,
    generatorURL: '',
    fingerprint: event.fingerprint,
  };
}

/** One sentence that says it all: what many receivers show, and no more. */
function summary(event: AlertEvent): string {
  const model = event.version === null ? event.model : `${event.model}@${event.version}`;
  const state = event.event === 'reminder' ? 'still raised' : event.event.replace('_', ' ');
  const reason = event.reason === null ? '' : ` (${event.reason.replace('_', ' ')})`;
  const metric = event.column_name === null ? event.metric : `${event.metric} of ${event.column_name}`;
  const window = event.window_start === null ? '' : `, ${event.grain} from ${event.window_start.toISOString()}`;
  return `${model}: ${event.alert} ${state}${reason}: ${metric} ${brief(event.value)}${beyond(event)}${window}`;
}

function beyond({ value, lower_threshold: lower, upper_threshold: upper }: AlertEvent): string {
  if (value === null) return '';
  if (lower !== null && value < lower) return `, below ${brief(lower)}`;
  if (upper !== null && value >= upper) return `, above ${brief(upper)}`;
  return '';
}

function brief(value: number | null): string {
  return value === null ? 'without a value' : String(Number(value.toPrecision(4)));
}

function given(values: Readonly<Record<string, string | number | null | undefined>>): Texts {
  const entries = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

function common([first = {}, ...others]: readonly Texts[]): Texts {
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((other) => other[name] === value)),
  );
}
