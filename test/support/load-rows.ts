import type { Client } from 'pg';
import { ident } from '../../src/lib/text.ts';
import type { JsonRow } from '../../src/inference/json-rows.ts';

/** Makes a table with these columns, the first its primary key, and puts rows in; a blank cell is NULL. */
export async function loadRows(
  client: Client,
  table: string,
  columns: readonly { name: string; type: string }[],
  rows: readonly JsonRow[],
): Promise<void> {
  const list = columns.map(({ name, type }) => `${ident(name)} ${type}`).join(', ');
  const create = `create table ${ident(table)} (${list}, primary key (${ident(columns[0]?.name ?? '')}))`;
  await client.query(create);
  const filled = rows.map((row) => columns.map(({ name }) => [name, row[name] === '' ? null : row[name]] as const));
  const insert = `insert into ${ident(table)} select * from jsonb_populate_recordset(null::${ident(table)}, $1)`;
  await client.query(insert, [JSON.stringify(filled.map((cells) => Object.fromEntries(cells)))]);
}
