import type { Client, QueryResult } from 'pg';

/** Several statements are one transaction, which keeps the turn that a service may have now. */
const AUDIT = `select pgscore_data._await_turn('cells'); select pgscore_data._audit(1000)::int as wrong`;

/** Counts days again, as the service does every night; how many cells were wrong. */
export async function audited(superuser: Client): Promise<number | null | undefined> {
  const results: unknown = await superuser.query(AUDIT);
  const [, audit] = results as QueryResult<{ wrong: number | null }>[];
  return audit?.rows[0]?.wrong;
}
