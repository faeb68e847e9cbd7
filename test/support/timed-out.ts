import type { Client } from 'pg';

import { refusal, type Refusal } from './refusal.ts';

/** How a statement is refused that statement_timeout ends. What follows has its own: a reset could be ended by it, too. */
export async function timedOut(client: Client, milliseconds: number, text: string): Promise<Refusal> {
  const refused = await refusal(client, `begin; set local statement_timeout = ${milliseconds}; ${text}`);
  await client.query('rollback');
  return refused;
}
