import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import type { Client } from 'pg';
import { loadRows } from './load-rows.ts';

/** Makes a table of the flights of a fixture, with what its framework said of them. */
export async function loadValueRows(client: Client, name: string): Promise<void> {
  const file = new URL(`../models/values/${name}.csv.gz`, import.meta.url);
  const [header = '', ...lines] = gunzipSync(await readFile(file))
    .toString()
    .trim()
    .split('\n');
  const names = header.split(',');
  const columns = names.map((column) => ({ name: column, type: column === 'flight_id' ? 'int' : 'real' }));
  const rows = lines.map((line) => Object.fromEntries(line.split(',').map((cell, at) => [names[at], cell])));
  await loadRows(client, name, columns, rows);
}

/** The columns of a view, each with its type. */
export async function columnsOf(client: Client, view: string): Promise<string[]> {
  const { rows } = await client.query<{ column: string }>(
    `select concat(column_name, ' ', data_type) as column from information_schema.columns where table_name = $1 order by ordinal_position`,
    [view],
  );
  return rows.map(({ column }) => column);
}
