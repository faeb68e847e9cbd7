import type { Client } from 'pg';
import type { Random } from '../../../src/lib/random.ts';
import { ident, literal } from '../../../src/lib/text.ts';
import { pick } from '../../support/pick.ts';
import { type Answer, answerOfPrediction, answerOfRows } from './answer.ts';
import type { Deployed } from './kinds.ts';
import type { Column, RandomTable } from './random-table.ts';

/** A way to score one row `r`: an expression that gives a text. */
export type Way = {
  readonly name: string;
  readonly expression: string;
  readonly from: string;
  readonly read: (text: string) => Answer;
};

export type Asked = {
  readonly model: string;
  readonly deployed: Deployed;
  readonly table: RandomTable;
  readonly classes: readonly string[];
};

const SCALAR_TASKS = ['binary', 'regression', 'quantiles', 'anomaly', 'clustering'];
const LABEL_TASKS = ['binary', 'multiclass', 'anomaly', 'clustering'];

/** Runs a statement; raised errors become its answer. */
const ATTEMPT = `create function attempt(statement text) returns text language plpgsql as $f$
  declare answer text; detail text;
  begin execute statement into answer; return answer;
  exception when others then
    get stacked diagnostics detail = pg_exception_detail;
    return 'failed: ' || sqlstate || ' ' || sqlerrm || ' ' || detail; end $f$;
  create function predict_record(model text, query text) returns text language plpgsql as $f$
  declare row record;
  begin execute query into row; return pgscore.predict(model, row)::text; end $f$`;

export async function createAttempt(alice: Client): Promise<void> {
  await alice.query(ATTEMPT);
}

/** Settings of sessions that must not matter. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  extra_float_digits: ['0', '-15', '1', '3'],
  datestyle: ['German, DMY', 'ISO, MDY', 'SQL, YMD', 'Postgres, DMY'],
  timezone: ['Asia/Kolkata', 'UTC', 'America/St_Johns'],
  standard_conforming_strings: ['on', 'off'],
  plan_cache_mode: ['force_generic_plan', 'force_custom_plan', 'auto'],
  bytea_output: ['escape', 'hex'],
  array_nulls: ['off', 'on'],
  transform_null_equals: ['on', 'off'],
  row_security: ['on', 'off'],
  from_collapse_limit: ['1', '8'],
  search_path: ['alice', 'alice, public, pgscore, pgscore_models'],
};

/** Half of the sessions are as they come; for the others, what they set. */
export function randomSettings(random: Random): Readonly<Record<string, string>> {
  if (random() < 0.5) return {};
  return Object.fromEntries(Object.entries(SETTINGS).map(([name, values]) => [name, pick(random, values)]));
}

export async function withSettings<T>(
  alice: Client,
  settings: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  for (const [name, value] of Object.entries(settings))
    await alice.query('select set_config($1, $2, false)', [name, value]);
  try {
    return await work();
  } finally {
    for (const name of Object.keys(settings)) {
      const reset = `reset ${name}`;
      await alice.query(reset);
    }
  }
}

function sent(expression: string): string {
  return `encode(float8send(${expression}), 'hex')`;
}

const score = (text: string): Answer => ({ numbers: {}, score: Buffer.from(text, 'hex').readDoubleBE() });
const predicted = (text: string): Answer => answerOfPrediction(JSON.parse(text) as Record<string, unknown>);
const vector = (text: string): Answer => ({ numbers: {}, embedding: text.slice(1, -1).split(',').map(Number) });
const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

/** `to_jsonb(r)`, but for the padding of char(n), which the row itself comes without. */
function asJson(columns: readonly Column[]): string {
  const padded = columns
    .filter(({ type }) => type === 'char(12)')
    .map(({ name }) => `${literal(name)}, r.${ident(name)}::text`);
  return padded.length === 0
    ? 'to_jsonb(r)'
    : `(to_jsonb(r) || jsonb_strip_nulls(jsonb_build_object(${padded.join()})))`;
}

/** Where the row comes from: alone, of subqueries, as JSON. */
function rowsOf({ table }: Asked): [name: string, row: string, from: string][] {
  const plain = `${table.relation} r`;
  const listed = [...table.columns.map(({ name }) => name), table.key].map((name) => `r.${ident(name)}`).join();
  return [
    ['a row of the table', 'r', plain],
    ['a row of a subquery', 'r', `(select ${listed} from ${plain} offset 0) r`],
    ['a row of a wider subquery', 'r', `(select r.*, 1 as zz from ${plain}) r`],
    ['jsonb', asJson(table.columns), plain],
    ['JSON in a text', `${asJson(table.columns)}::text`, plain],
  ];
}

/** Every way but typed functions; without those that write numbers as JSON where the session shortens them. */
export function unboundWays(asked: Asked, isShortened: boolean): Way[] {
  const { model, deployed, table, classes } = asked;
  const named = literal(model);
  const ways: Way[] = [];
  for (const [what, row, from] of rowsOf(asked)) {
    if (isShortened && row !== 'r') continue;
    const add = (call: string, expression: string, read: Way['read']): void => {
      ways.push({ name: `${call} of ${what}`, expression, from, read });
    };
    if (SCALAR_TASKS.includes(deployed.task)) add('score()', sent(`pgscore.score(${named}, ${row})`), score);
    for (const of of classes.slice(0, 2)) {
      const ofClass = (text: string): Answer => ({ numbers: { [of]: Buffer.from(text, 'hex').readDoubleBE() } });
      add(`score() with class ${of}`, sent(`pgscore.score(${named}, ${row}, class => ${literal(of)})`), ofClass);
    }
    if (LABEL_TASKS.includes(deployed.task))
      add('classify()', `pgscore.classify(${named}, ${row})`, (label) => ({ numbers: {}, label }));
    if (!isShortened) add('predict()', `pgscore.predict(${named}, ${row})::text`, predicted);
  }
  const from = `${table.relation} r`;
  if (SCALAR_TASKS.includes(deployed.task)) {
    const orWhy = `coalesce(${sent(`pgscore.score_or_null(${named}, r)`)}, 'failed: ' || pgscore.why_not(${named}, r))`;
    ways.push({ name: 'score_or_null() and why_not()', expression: orWhy, from, read: score });
  }
  if (isShortened) return ways;
  const query = `format('select * from %s r where ${ident(table.key).replaceAll("'", "''")} = %s', ${literal(table.relation)}, r.${ident(table.key)})`;
  ways.push({
    name: 'predict() of a record in PL/pgSQL',
    expression: `predict_record(${named}, ${query})`,
    from,
    read: predicted,
  });
  const rows = `(select (to_jsonb(s) - 'features')::text from pgscore.score_rows(${named}, array[r]) s)`;
  ways.push({ name: 'score_rows() of one row', expression: rows, from, read: (text) => answerOfRows(json(text)) });
  return ways;
}

/** The functions that bind() makes. */
export function typedWays({ model, deployed, table }: Asked, isShortened: boolean): Way[] {
  const { task, isNative } = deployed;
  const from = `${table.relation} r`;
  const isScalar = SCALAR_TASKS.includes(task) && task !== 'clustering';
  if (isShortened && !isScalar) return [];
  const label = (text: string): Answer => ({ numbers: {}, label: text });
  const reads = isScalar ? score : LABEL_TASKS.includes(task) ? label : task === 'embedding' ? vector : predicted;
  const way = (name: string, call: string): Way => ({
    name,
    expression: isScalar ? sent(call) : `${call}::text`,
    from,
    read: reads,
  });
  const ways = [
    way('the typed function', `pgscore_models.${ident(model)}(r)`),
    way('the typed function of the version', `pgscore_models.${ident(`${model}_v1`)}(r)`),
  ];
  if (!isNative || isShortened || deployed.features.some(({ tensor }) => tensor.includes('['))) return ways;
  const args = table.columns.map(({ name, type, tensor }) => `r.${ident(name)}${castOf(type, tensor)}`);
  return [...ways, way('the typed function of features', `pgscore_models.${ident(`${model}_v1`)}(${args.join()})`)];
}

/** What PostgreSQL does not cast by itself to the argument of a feature. */
function castOf(type: string, tensor: string): string {
  if (type === 'boolean' && tensor !== 'bool') return tensor.startsWith('float') ? '::int::float8' : '::int';
  if (tensor === 'string') return '::text';
  return tensor.startsWith('float') ? '::float8' : '';
}

/** What a way says of every row, by key. */
export async function ask(
  alice: Client,
  { relation, key }: RandomTable,
  way: Way,
): Promise<{ answers: Answer[]; statement: string }> {
  const statement = `select ${way.expression} from ${way.from} where r.${ident(key)} = `;
  const all = `select attempt($1 || r.${ident(key)}) as said from ${relation} r order by r.${ident(key)}`;
  const { rows } = await alice.query<{ said: string | null }>(all, [statement]);
  const answers = rows.map(({ said }) => {
    if (said === null) return null;
    return said.startsWith('failed: ') ? { failed: said.slice('failed: '.length) } : way.read(said);
  });
  return { answers, statement };
}
