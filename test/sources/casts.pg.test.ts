import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { CASTS, castOf, type ColumnKind } from '../../src/inference/column.ts';
import type { Feature, TensorType } from '../../src/inference/signature.ts';
import { caught } from '../support/caught.ts';
import { cloneDatabase } from '../support/database.ts';

/** What a column of each wire type holds once it is decoded. */
const KINDS: Readonly<Record<string, ColumnKind>> = {
  bool: 'bool',
  int2: 'int32',
  int4: 'int32',
  int8: 'int64',
  float4: 'float32',
  float8: 'float64',
  numeric: 'float64',
  text: 'text',
  enum: 'text',
  _float4: 'float32',
  _float8: 'float64',
  _int2: 'int32',
  _int4: 'int32',
  _int8: 'int64',
  _text: 'text',
  vector: 'float32',
};
const ARRAYS = ['_float4', '_float8', '_int2', '_int4', '_int8', '_text', 'vector'];
const TENSORS = Object.keys(CASTS) as TensorType[];
/** 0 is any. */
const WIDTHS = [0, 1, 3];

/** The names of pgscore.feature_casts as wire types; name and char arrive as text. */
const WIRE_TYPES: Readonly<Record<string, string>> = {
  boolean: 'bool',
  smallint: 'int2',
  integer: 'int4',
  bigint: 'int8',
  real: 'float4',
  'double precision': 'float8',
  numeric: 'numeric',
  text: 'text',
  varchar: 'text',
  char: 'text',
  name: 'text',
  enum: 'enum',
  'real[]': '_float4',
  'double precision[]': '_float8',
  'smallint[]': '_int2',
  'integer[]': '_int4',
  'bigint[]': '_int8',
  'text[]': '_text',
  'varchar[]': '_text',
  vector: 'vector',
};

type Pair = { wire: string; tensor: TensorType; width: number };

const pairs: Pair[] = Object.keys(KINDS).flatMap((wire) =>
  TENSORS.flatMap((tensor) => WIDTHS.map((width) => ({ wire, tensor, width }))),
);
const label = ({ wire, tensor, width }: Pair) => `${wire} to ${tensor}${width === 1 ? '' : `[${width}]`}`;

/** Whether a scorer takes the column without having to look at each value: neither late errors nor rows lost to a wrong type. */
function takenUnseen({ wire, tensor, width }: Pair): boolean {
  const isArray = ARRAYS.includes(wire);
  if (isArray !== (width !== 1)) return false;
  const cast = CASTS[tensor][KINDS[wire] ?? 'text'];
  return cast === 'exact' || cast === 'rounded';
}

const database = await cloneDatabase();
let allowed: Set<string>;
let client: Client;

beforeAll(async () => {
  client = await database.client();
  const { rows } = await client.query<Pair & { ok: boolean }>(
    `select *, pgscore._cast_allowed(wire, tensor, width) as ok
       from unnest($1::text[]) wire cross join unnest($2::text[]) tensor cross join unnest($3::int[]) width`,
    [Object.keys(KINDS), TENSORS, WIDTHS],
  );
  allowed = new Set(rows.filter(({ ok }) => ok).map(label));
});

describe('what score_table() lets through and what a scorer takes', () => {
  test('are the same, for every wire type, tensor type and width', () => {
    expect([...allowed].toSorted()).toEqual(pairs.filter(takenUnseen).map(label).toSorted());
  });

  test('differ nowhere in a way that would fail a run after it began', () => {
    for (const { wire, tensor, width } of pairs.filter((pair) => allowed.has(label(pair)))) {
      const feature: Feature = { name: 'x', input: 'X', position: 0, type: tensor, width, nulls: 'error' };
      expect(castOf(feature, KINDS[wire] ?? 'text', width)).toMatch(/^(exact|rounded)$/);
    }
  });

  test('is what pgscore.feature_casts says', async () => {
    const { rows } = await client.query<{ sql_type: string; tensor_types: string }>(
      'select * from pgscore.feature_casts',
    );
    const said = rows.flatMap(({ sql_type, tensor_types }) =>
      sql_type.split(', ').flatMap((name) => {
        const wire = WIRE_TYPES[name] ?? name;
        return tensor_types.split(', ').flatMap((tensor) => {
          const widths = ARRAYS.includes(wire) ? [0, 3] : [1];
          return widths.map((width) => label({ wire, tensor: tensor as TensorType, width }));
        });
      }),
    );
    expect([...new Set(said)].toSorted()).toEqual([...allowed].toSorted());
  });

  test('is what the page on casts says', async () => {
    const page = await readFile(new URL('../../docs/reference/casts.md', import.meta.url), 'utf8');
    const { rows } = await client.query<Record<'sql_type' | 'tensor_types' | 'rule', string>>(
      'select * from pgscore.feature_casts',
    );
    for (const { sql_type, tensor_types, rule } of rows)
      expect(page).toContain(`| ${sql_type} | ${tensor_types} | ${rule} |`);
  });

  test('refuse a type that has no wire type', async () => {
    const { rows } = await client.query(
      `select pgscore._wire_type('uuid'::regtype) as wire, pgscore._cast_allowed(null, 'string', 1) as ok`,
    );
    expect(rows).toEqual([{ wire: null, ok: false }]);
    expect(
      caught(() => castOf({ name: 'x', input: 'X', position: 0, type: 'string', width: 1, nulls: 'error' }, 'int64', 1))
        .code,
    ).toBe('feature_column_mistyped');
  });
});

/** After what the expression is, such as `one field: `, the expression itself. */
const EXPRESSION = /^Score a view that gives (?:[^:]*: )?(.*); select \* from pgscore\.feature_casts/;

describe('the remedy for a column that a feature cannot take', () => {
  test.each([
    ['text', "'1'", 'float32', 1],
    ['text', "'1'", 'int64', 1],
    ['text', "'true'", 'bool', 1],
    ['double precision', '1.5', 'int64', 1],
    ['bigint', '1', 'bool', 1],
    ['integer', '1', 'string', 1],
    ['boolean', 'true', 'string', 1],
    ['uuid', 'gen_random_uuid()', 'string', 1],
    ['date', "'2026-01-01'", 'string', 1],
    ['date', "'2026-01-01'", 'float32', 1],
    ['date', "'2026-01-01'", 'int64', 1],
    ['timestamptz', "'2026-01-01'", 'bool', 1],
    ['time', "'12:00'", 'int32', 1],
    ['money', "'1.50'", 'float32', 1],
    ['money', "'1.50'", 'float64', 1],
    ['money', "'1.50'", 'int64', 1],
    ['money', "'1.50'", 'bool', 1],
    ['oid', '1', 'float32', 1],
    ['regclass', "'pg_class'", 'int32', 1],
    ['regclass', "'pg_class'", 'bool', 1],
    ['interval', "'1 hour'", 'float64', 1],
    ['jsonb', `'{"field": 1}'`, 'float32', 1],
    ['jsonb', `'{"field": "a"}'`, 'string', 1],
    ['jsonb', `'{"field": 1}'`, 'int64', 1],
    ['jsonb', `'{"field": true}'`, 'bool', 1],
    ['real[]', "'{1}'", 'float32', 1],
    ['integer[]', "'{1,2,3}'", 'float32', 3],
  ])('from %s %s to %s is SQL that runs, and its result is taken', async (type, value, tensor, width) => {
    const { rows: hints } = await client.query<{ hint: string }>(
      `select pgscore._cast_remedy('Of It', 'column', $1, $2, $3::regtype) as hint`,
      [tensor, width, type],
    );
    const [, expression = ''] = EXPRESSION.exec(hints[0]?.hint ?? '') ?? [];
    const view = `create or replace temp view remedied as select ${expression} from (select ${value}::${type} as "column") t`;
    await client.query('drop view if exists remedied');
    await client.query(view);
    const { rows } = await client.query(
      `select attname, pgscore._cast_allowed(pgscore._wire_type(atttypid), $1, $2) as ok from pg_attribute where attrelid = 'remedied'::regclass`,
      [tensor, width],
    );
    expect(rows).toEqual([{ attname: 'Of It', ok: true }]);
    await client.query('select * from remedied');
  });
});
