import type { Client } from 'pg';
import { to } from 'pg-copy-streams';

/** The rows of a COPY in text format: the text of each value, null for NULL. */
export async function textRows(client: Client, copySql: string): Promise<(string | null)[][]> {
  const chunks: Buffer[] = [];
  for await (const chunk of client.query(to(copySql))) chunks.push(chunk as Buffer);
  const lines = Buffer.concat(chunks).toString('utf8').split('\n').slice(0, -1);
  return lines.map((line) => line.split('\t').map((value) => (value === '\\N' ? null : unescaped(value))));
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

function unescaped(value: string): string {
  return value.replaceAll(/\\(.)/gs, (_, escaped: string) => ESCAPES[escaped] ?? escaped);
}
