import pg from 'pg';
import { PgscoreError } from '../../errors.ts';

/** bool, int8, int2, int4, oid, json, float4, float8, jsonb; then arrays of bool, int2, int4, text, varchar, float4, float8, oid, json, jsonb */
const IN_JSON = [16, 20, 21, 23, 26, 114, 700, 701, 3802, 1000, 1005, 1007, 1009, 1015, 1021, 1022, 1028, 199, 3807];
const INT8 = 20;

/** Values that JSON has a form for; any other is the text that the server wrote. */
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid: number) => {
    if (!IN_JSON.includes(oid)) return String;
    const parse = pg.types.getTypeParser(oid, 'text') as (text: string) => unknown;
    return (text: string) => (oid === INT8 ? wholeNumber(text) : finite(parse(text)));
  },
};

function wholeNumber(text: string): number | string {
  return Number.isSafeInteger(Number(text)) ? Number(text) : text;
}

function finite(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(finite);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/**
 * The rows of a statement as JSON holds them, without loss.
 * @throws PgscoreError `usage` where two columns have the same name
 */
export async function jsonRows(client: pg.Client, text: string): Promise<object[]> {
  const { rows, fields } = await client.query<unknown[]>({ text, rowMode: 'array', types: TYPES });
  const names = fields.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]])));
  throw new PgscoreError('usage', `two columns are called "${twice}", of which JSON has one`, {
    remedy: 'The statement was run. Name each column: count(*) as all_rows.',
  });
}
