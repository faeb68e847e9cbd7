import type { Client } from 'pg';

/** Has a session show the plan of all that is planned in it, as anybody may; what it says from then on, without its line breaks, which may stand in the midst of a word. */
export async function showPlans(client: Client): Promise<() => string> {
  let shown = '';
  client.on('notice', ({ message = '', detail = '' }) => {
    shown += `${message}${detail}`.replaceAll(/\s+/g, '');
  });
  await client.query('set client_min_messages = log; set debug_print_plan = on');
  return () => shown;
}

/** Bytes as a constant of such a plan has them. */
export function asPlanned(bytes: Buffer): string {
  return [...new Int8Array(bytes)].join('');
}
