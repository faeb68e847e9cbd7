import { DatabaseError, type Client } from 'pg';

/** How PostgreSQL refuses a statement: SQLSTATE, message, detail and hint. */
export type Refusal = Pick<DatabaseError, 'code' | 'message' | 'detail' | 'hint'>;

/** The refusal of a statement; raises where it is not refused. */
export async function refusal(client: Client, text: string, values: unknown[] = []): Promise<Refusal> {
  try {
    await client.query(text, values);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    const { code, message, detail, hint } = error;
    return { code, message, detail, hint };
  }
  throw new Error(`not refused: ${text}`);
}
