import type { WebhookConfig } from '../config.ts';
import type { Link } from '../postgres/connection.ts';
import { statement, type Queryable } from '../postgres/statement.ts';
import type { Logger } from '../log.ts';
import { claimAlerts, settleAlerts } from './alert-event.ts';
import { alertMessage } from './alert-message.ts';
import { postToWebhook } from './webhook.ts';

const evaluate = statement<[], { event: string | null; failure: string | null }>(
  'evaluate_alerts',
  'select event, failure from pgscore_data._evaluate_alerts()',
);

/** Looks at the alerts of what changed; whether there is something to tell. */
export async function evaluateAlerts(client: Queryable, log: Logger): Promise<boolean> {
  const [row] = await evaluate(client);
  if (typeof row?.failure === 'string') log.error({ reason: row.failure }, 'the alerts of a model cannot be looked at');
  return typeof row?.event === 'string';
}

/**
 * Tells the webhook what is due, a message a model. What it does not take is tried again later, by whichever service then
 * looks; one that was taken by a service which then died is told twice.
 */
export async function tellAlerts(
  link: Link,
  webhook: WebhookConfig,
  log: Logger,
  goesOn: () => boolean,
): Promise<void> {
  while (goesOn()) {
    const due = await link.use((client) => claimAlerts(client));
    const [first] = due;
    if (first === undefined) return;
    const events = due.map(({ event_id: id }) => id);
    // No connection is held meanwhile.
    const failure = await postToWebhook(webhook, JSON.stringify(alertMessage(due)), events);
    await link.use((client) => settleAlerts(client, events, failure));
    const told = { events, model: first.is_digest ? undefined : first.model, attempt: first.attempts };
    if (failure === null) log.info(told, 'alerts told');
    else log.warn({ ...told, reason: failure }, 'the alert webhook did not take alerts; they will be tried again');
  }
}
