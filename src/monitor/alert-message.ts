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
      summary: event.message,
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

function given(values: Readonly<Record<string, string | number | null | undefined>>): Texts {
  const entries = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

function common([first = {}, ...others]: readonly Texts[]): Texts {
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((other) => other[name] === value)),
  );
}
