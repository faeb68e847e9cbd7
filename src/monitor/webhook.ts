import { createHmac } from 'node:crypto';
import type { WebhookConfig } from '../config.ts';
import { VERSION } from '../version.ts';

/**
 * Posts JSON to the webhook, signed where there is a secret: `X-Pgscore-Signature: t=SECONDS,v1=HEX`, the HMAC-SHA256 of
 * `SECONDS.BODY`. Follows no redirect. Returns why it was not taken, or null; neither names the URL, which may hold a token.
 */
export async function postToWebhook(
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
