import type pg from 'pg';
import { formatTable, type Cell } from '../output.ts';

/** Rows as the server wrote them, each value as text. */
export type TextResult = Pick<pg.QueryArrayResult<Cell[]>, 'rows' | 'fields' | 'command' | 'rowCount'>;

/** int2, int4, int8, oid, float4, float8, numeric, money */
const NUMBERS = [21, 23, 20, 26, 700, 701, 1700, 790];

/** A result for people: a table with its number of rows, or what the statement did. */
export function resultText(result: TextResult): string {
  if (result.fields.length === 0) return [result.command, result.rowCount].filter((part) => part !== null).join(' ');
  const rows = `(${result.rows.length} ${result.rows.length === 1 ? 'row' : 'rows'})`;
  return `${table(result)}\n${rows}`;
}

function table({ fields, rows }: TextResult): string {
  const columns = fields.map(({ name, dataTypeID }) => ({ name, right: NUMBERS.includes(dataTypeID) }));
  return formatTable(columns, rows);
}
