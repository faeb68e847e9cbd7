import { createHmac } from 'node:crypto';
import type { WebhookConfig } from '../config.ts';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { statement, type Queryable } from '../postgres/statement.ts';
import type { Logger } from '../log.ts';
import { VERSION } from '../version.ts';

const evaluate = statement<[], { event: string | null; failure: string | null }>(
  'evaluate_alerts',
  'select event, failure from pgscore_data._evaluate_alerts()',
);

/** Looks at the alerts of what changed; whether there is something to send. */
export async function evaluateAlerts(client: Queryable, log: Logger): Promise<boolean> {
  const [row] = await evaluate(client);
  if (typeof row?.failure === 'string') log.error({ reason: row.failure }, 'the alerts of a model cannot be looked at');
  return typeof row?.event === 'string';
}

/**
 * Tells the webhook what is due, a message a model. What it does not take is tried again later, by whichever service then
 * looks; one that was taken by a service which then died is sent twice.
 */
export async function sendAlerts(
  connection: DatabaseConnection,
  webhook: WebhookConfig,
  log: Logger,
  goesOn: () => boolean,
): Promise<void> {
  while (goesOn()) {
    const due = await connection.use((client) => claimAlerts(client));
    const [first] = due;
    if (first === undefined) return;
    const events = due.map(({ event_id: id }) => id);
    // No connection is held meanwhile.
    const failure = await postToWebhook(webhook, JSON.stringify(alertMessage(due)), events);
    await connection.use((client) => recordDeliveries(client, events, failure));
    const sent = { events, model: first.is_digest ? undefined : first.model, attempt: first.attempts };
    if (failure === null) log.info(sent, 'alerts sent');
    else log.warn({ ...sent, reason: failure }, 'the alert webhook did not take alerts; they will be tried again');
  }
}

/** Something that an alert has to say, with the values of the moment when it happened. */
export type AlertEvent = {
  readonly event_id: string;
  /** How often it was tried, this time included. */
  readonly attempts: number;
  readonly fingerprint: string;
  readonly model: string;
  /** Null: the alert is about the model, whatever its version. */
  readonly version: number | null;
  readonly alert: string;
  readonly metric: string;
  readonly grain: string;
  /** Of a watch, its target. */
  readonly column_name: string | null;
  readonly kind: 'performance' | 'integrity' | 'feed' | 'watch' | 'drift';
  readonly severity: 'info' | 'warning' | 'critical';
  readonly event: 'firing' | 'no_data' | 'reminder' | 'resolved';
  readonly reason: string | null;
  readonly at: Date;
  readonly began_at: Date;
  readonly window_start: Date | null;
  readonly window_end: Date | null;
  readonly value: number | null;
  readonly n: string | null;
  readonly lower_threshold: number | null;
  readonly upper_threshold: number | null;
  readonly is_digest: boolean;
  /** All of it as a sentence, as the views have it. */
  readonly message: string;
};

/** Takes the events that are to be sent in one message; none where nothing is due. */
const claimAlerts = statement<[], AlertEvent>('claim_alerts', 'select * from pgscore_data._claim_alerts()');

/** Ends their claim; with a failure they are tried again later. */
const recordDeliveries = statement<[events: string[], failure: string | null]>(
  'record_deliveries',
  'select pgscore_data._note_delivery($1, $2)',
);

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
      column: event.kind === 'watch' ? null : event.column_name,
      target: event.kind === 'watch' ? event.column_name : null,
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

/**
 * Posts JSON to the webhook, signed where there is a secret: `X-Pgscore-Signature: t=SECONDS,v1=HEX`, the HMAC-SHA256 of
 * `SECONDS.BODY`. Follows no redirect. Returns why it was not taken, or null; neither names the URL, which may hold a token.
 */
async function postToWebhook(
  { url, secret, timeoutMs }: WebhookConfig,
  body: string,
  events: readonly string[],
): Promise<string | null> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'user-agent': `pgscore/${VERSION}`,
    'x-pgscore-events': events.join(','),
  };
  if (secret !== undefined) headers['x-pgscore-signature'] = signature(secret, Math.floor(Date.now() / 1000), body);
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
    await answer.body?.cancel();
    if (answer.ok) return null;
    const redirected = answer.status >= 300 && answer.status < 400;
    return `HTTP ${answer.status}${redirected ? '; redirects are not followed' : ''}`;
  } catch (error) {
    return failureOf(error, timeoutMs);
  }
}

/** What a receiver computes again to know that a message is ours, and young. */
export function signature(secret: string, seconds: number, body: string): string {
  const digest = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${digest}`;
}

function failureOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return 'no connection';
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  const code: unknown = error.cause instanceof Error && 'code' in error.cause ? error.cause.code : undefined;
  return typeof code === 'string' ? `no connection: ${code}` : 'no connection';
}
