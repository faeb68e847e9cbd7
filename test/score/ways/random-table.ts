import type { Client } from 'pg';
import type { JsonRow } from '../../../src/inference/json-rows.ts';
import type { Random } from '../../../src/lib/random.ts';
import { ident, literal } from '../../../src/lib/text.ts';
import { pick } from '../../support/pick.ts';
import type { Deployed, Kind } from './kinds.ts';
import { columnTypes, hardArray, hardValue, TEXTS, textOf, typicalArray, typicalValue } from './values.ts';

export type Column = {
  readonly feature: string;
  readonly name: string;
  readonly type: string;
  readonly tensor: string;
};

/** A table, or a view of one, with a column for each feature and others. */
export type RandomTable = {
  /** As SQL writes it. */
  readonly relation: string;
  readonly key: string;
  readonly columns: readonly Column[];
  /** What made it, for a report. */
  readonly statements: readonly string[];
};

export const ROWS = 40;
const NAMES = ['rows_given', 'Rows Ä ☃', 'select', `it's "odd"`, 'x'.repeat(63)];
const DOMAINS = `create domain text_domain as text; create domain number_domain as numeric; create domain whole_domain as int;
  create domain double_domain as double precision;`;

export async function createTypes(alice: Client): Promise<void> {
  await alice.query(DOMAINS);
}

export async function createRandomTable(
  alice: Client,
  random: Random,
  kind: Kind,
  { features }: Deployed,
): Promise<RandomTable> {
  const columns = features.map(({ name, tensor }): Column => {
    const other = name.toUpperCase();
    const isTaken = features.some((each) => each.name === other);
    return {
      feature: name,
      name: !isTaken && random() < 0.1 ? other : name,
      type: pick(random, columnTypes(tensor)),
      tensor,
    };
  });
  const key = pick(random, ['id', 'Id x', 'from']);
  const name = ident(pick(random, NAMES));
  const form = pick(random, ['table', 'table', 'partitioned', 'view', 'materialized view'] as const);
  const base = form === 'view' || form === 'materialized view' ? ident('base of it') : name;
  const statements = [
    ...typesOf(columns, kind),
    ...tableStatements(random, { base, key, columns, isPartitioned: form === 'partitioned' }),
  ];
  for (const statement of statements) await alice.query(statement);
  for (let row = 0; row < ROWS; row += 1)
    statements.push(await insertRow(alice, random, { base, key, columns, kind, row }));
  if (base !== name) {
    const derived = `create ${form} ${name} as select * from ${base}`;
    await alice.query(derived);
    statements.push(derived);
  }
  return { relation: name, key, columns, statements };
}

/** An enum of what its columns may hold. */
function typesOf(columns: readonly Column[], { rows }: Kind): string[] {
  const values = columns.flatMap(({ feature, tensor }) =>
    tensor === 'string' ? rows.map((row) => textOf(row[feature] ?? '')) : [],
  );
  const short = [...new Set([...TEXTS, ...values])].filter((text) => Buffer.byteLength(text) < 64);
  return [`create type colour as enum (${short.map(literal).join(', ')})`, 'create domain colour_domain as colour'];
}

type Plan = { readonly base: string; readonly key: string; readonly columns: readonly Column[] };

/** Columns in any order, beside others, some of which are gone. */
function tableStatements(
  random: Random,
  { base, key, columns, isPartitioned }: Plan & { readonly isPartitioned: boolean },
): string[] {
  const gone = ['gone', 'gone too'].slice(0, Math.floor(random() * 3));
  const listed = [
    `${ident(key)} int primary key`,
    'extra date default current_date',
    `"more of it" jsonb default '{"a": 1}'`,
    ...gone.map((each) => `${ident(each)} text default 'x'`),
    ...columns.map(({ name, type }) => `${ident(name)} ${type}`),
  ];
  const order = listed.map((column) => [random(), column] as const).toSorted(([one], [other]) => one - other);
  const by = isPartitioned ? ` partition by hash (${ident(key)})` : '';
  const parts = [0, 1].map(
    (part) =>
      `create table ${ident(`part ${part}`)} partition of ${base} for values with (modulus 2, remainder ${part})`,
  );
  return [
    `create table ${base} (${order.map(([, column]) => column).join(', ')})${by}`,
    ...gone.map((each) => `alter table ${base} drop column ${ident(each)}`),
    ...(isPartitioned ? parts : []),
  ];
}

/** A row of the fixture, of which some values are hard ones. */
async function insertRow(
  alice: Client,
  random: Random,
  plan: Plan & { readonly kind: Kind; readonly row: number },
): Promise<string> {
  const { base, key, columns, kind, row } = plan;
  const typical: JsonRow = pick(random, kind.rows);
  const hardness = pick(random, [0, 1 / columns.length, 0.3, 0.6]);
  const values = columns.map(({ feature, type, tensor }) => {
    const value = typical[feature];
    const isHard = random() < hardness;
    if (tensor.includes('[')) {
      const array = Array.isArray(value) ? value : [];
      return isHard ? hardArray(random, type, array, kind.isTame) : typicalArray(type, array);
    }
    return isHard ? hardValue(random, type, kind.isTame) : typicalValue(type, value);
  });
  const names = [key, ...columns.map(({ name }) => name)].map(ident);
  const insert = `insert into ${base} (${names.join(', ')}) values (${names.map((_, at) => `$${at + 1}`).join(', ')})`;
  await alice.query(insert, [row, ...values]);
  const constants = values.map((value) => (value === null ? 'null' : literal(value)));
  return `insert into ${base} (${names.join(', ')}) values (${[row, ...constants].join(', ')})`;
}

export async function dropRandomTable(alice: Client): Promise<void> {
  const relations = [...NAMES, 'base of it'].map(ident).join(', ');
  const { rows } = await alice.query<{ statement: string }>(
    `select format('drop %s if exists %s cascade', case relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end, oid::regclass) as statement
       from pg_class where oid = any (select to_regclass(x) from unnest($1::text[]) x)`,
    [relations.split(', ')],
  );
  for (const { statement } of rows) await alice.query(statement);
  await alice.query('drop type if exists colour cascade; drop domain if exists colour_domain cascade');
}
