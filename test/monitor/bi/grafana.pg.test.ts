import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { expect, test } from '@jest/globals';
import { types, type FieldDef } from 'pg';

import { hasProgram } from '../../online/psql.ts';
import { oneIn } from '../../support/night.ts';
import { asGrafana, FOLDER, readDashboard, type Panel, type Query, type Values } from './dashboard.ts';
import { MODELS, stageForAnalyst } from './staged.ts';

const { database, superuser, analyst } = await stageForAnalyst();
const dashboard = readDashboard();
const panels = dashboard.panels.flatMap((panel) => (panel.targets ?? []).map((query) => ({ panel, query })));
const range = { from: new Date('2024-01-01T00:00:00Z'), to: new Date(Date.now() + 86_400_000) };

const { TEXT, INT8, FLOAT8, BOOL, DATE, TIMESTAMPTZ } = types.builtins;
const NUMBERS: readonly number[] = [INT8, FLOAT8];
const PLAIN: readonly number[] = [TEXT, ...NUMBERS, BOOL, DATE, TIMESTAMPTZ];

type Shown = { fields: readonly FieldDef[]; rows: Record<string, unknown>[] };

function run(sql: string, values: Values): Promise<Shown> {
  return analyst.query<Record<string, unknown>>(asGrafana(sql, values, range));
}

function valuesOf(model: string, grain: string): Values {
  return { model, grain, version: '1' };
}

/** What is wrong with the columns, for how the panel draws them. */
function misfits({ type, fieldConfig }: Panel, { format }: Query, fields: readonly FieldDef[]): string[] {
  const names = fields.map(({ name }) => name);
  const typeOf = new Map(fields.map(({ name, dataTypeID }) => [name, dataTypeID]));
  const odd = fields.filter(({ dataTypeID }) => !PLAIN.includes(dataTypeID)).map(({ name }) => `type of ${name}`);
  const named = (fieldConfig?.overrides ?? []).flatMap(({ matcher, properties }) => [
    matcher.options,
    ...properties.filter(({ id }) => id === 'custom.fillBelowTo').map(({ value }) => String(value)),
  ]);
  const lacking = named.filter((name) => !typeOf.has(name)).map((name) => `no column ${name}`);
  if (type === 'timeseries') {
    const drawn = fields.filter(({ name }) => name !== 'time' && name !== 'metric');
    const fits =
      typeOf.get('time') === TIMESTAMPTZ && (typeOf.get('metric') ?? TEXT) === TEXT && format === 'time_series';
    const numeric = drawn.length > 0 && drawn.every(({ dataTypeID }) => NUMBERS.includes(dataTypeID));
    return [...odd, ...lacking, ...(fits && numeric ? [] : [`not a series: ${names.join()}`])];
  }
  if (type === 'barchart') {
    const [label, ...bars] = fields;
    const fits = label?.dataTypeID === TEXT && bars.length > 0 && bars.every((bar) => NUMBERS.includes(bar.dataTypeID));
    return [...odd, ...lacking, ...(fits ? [] : [`no bars: ${names.join()}`])];
  }
  return [...odd, ...lacking, ...(format === 'table' ? [] : ['not a table'])];
}

const isPlain = (value: unknown): boolean => typeof value !== 'number' || Number.isFinite(value);

test.each(panels.map((one) => ({ ...one, title: one.panel.title })))(
  'an analyst sees "$title", for a model of some task, in every grain, in the columns and types that it draws',
  async ({ panel, query }) => {
    for (const grain of ['daily', 'weekly', 'monthly']) {
      let n = 0;
      for (const model of Object.values(MODELS)) {
        const { fields, rows } = await run(query.rawSql, valuesOf(model, grain));
        expect({ model, grain, misfits: misfits(panel, query, fields) }).toEqual({ model, grain, misfits: [] });
        expect(rows.filter((row) => !Object.values(row).every(isPlain))).toEqual([]);
        const times = rows.map((row) => Number(row['time'] ?? 0));
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        n += rows.length;
      }
      expect({ grain, n: n > 0 }).toEqual({ grain, n: true });
    }
  },
);

test('grains are days, weeks and months', async () => {
  const accuracy = panels.find(({ panel }) => panel.title === 'Accuracy')?.query.rawSql ?? '';
  const windows = async (grain: string) => {
    const { rows } = await run(accuracy, valuesOf(MODELS.binary, grain));
    return rows.map((row) => (row['time'] as Date).toISOString().slice(0, 10));
  };
  expect([await windows('daily'), await windows('weekly'), await windows('monthly')]).toEqual([
    ['2024-03-04', '2024-03-05', '2024-03-13', '2024-04-02'],
    ['2024-03-04', '2024-03-11', '2024-04-01'],
    ['2024-03-01', '2024-04-01'],
  ]);
});

test('the lists offer the models that are granted, and the champion first', async () => {
  const [model, version] = dashboard.templating.list;
  const models = await run(model?.query ?? '', {});
  expect(models.rows.map((row) => row['model_name'])).toEqual(Object.values(MODELS).toSorted());
  const versions = await run(version?.query ?? '', { model: MODELS.binary });
  expect(versions.rows.map((row) => row['model_version'])).toEqual(['1', '2']);
});

test('what was done to a model, and what alerts said of it, is an annotation of its panels, and of no other model', async () => {
  const sql =
    dashboard.annotations.list.find(({ name }) => name === 'What was done to the model')?.target?.rawSql ?? '';
  const { fields, rows } = await run(sql, valuesOf(MODELS.binary, 'daily'));
  expect(fields.map(({ name }) => name)).toEqual(['time', 'timeend', 'text', 'tags']);
  const text = `${MODELS.binary}@1: promote champion by ada`;
  expect(rows).toMatchObject([
    { timeend: null, tags: `pgscore,alert,firing,${MODELS.binary}` },
    { timeend: null, text, tags: `pgscore,promote,${MODELS.binary}` },
  ]);
});

const OUT = `select set_config('pgscore_test.out', 'of the literal', false)`;
const HOSTILE = [
  `' or true --`,
  `'; ${OUT}; --`,
  `\\'; ${OUT}; --`,
  `''; ${OUT}; --`,
  `$__timeFrom()'; ${OUT}; --`,
  `$__timeFilter('); ${OUT}; --`,
  `$__timeFrom(); ${OUT}; --$__timeTo()`,
  `$__time(x'); ${OUT}; --`,
  '${grain:sqlstring}; --',
  `$$; ${OUT}; $$`,
  `daily union all select 'x'`,
];

const variablesOf = (sql: string): string[] =>
  ['model', 'version', 'grain'].filter((name) => sql.includes(`$${name}`) || sql.includes(`\${${name}`));

const queries = [...panels.map(({ query }) => query.rawSql), dashboard.templating.list[1]?.query ?? ''];
/** Every query with every value at night; at each commit all of both, but not each with each. */
const injections = HOSTILE.map((text, at) => ({
  text,
  sqls: oneIn(HOSTILE.length, [...queries.slice(at), ...queries.slice(0, at)]),
}));

test.each(injections)('a value of a variable stays a value: $text', async ({ text, sqls }) => {
  for (const sql of sqls) {
    for (const name of variablesOf(sql)) {
      const values = { ...valuesOf(MODELS.binary, 'daily'), [name]: text };
      expect({ sql, name, seen: await seenOf(sql, values) }).toEqual({ sql, name, seen: 'nothing' });
    }
  }
  const { rows } = await analyst.query(`select current_setting('pgscore_test.out', true) as out`);
  expect(rows).toEqual([{ out: null }]);
});

/** Nothing: no row, or a statement that cannot be parsed, as where the value holds one of Grafana's macros. */
async function seenOf(sql: string, values: Values): Promise<string> {
  try {
    const result: unknown = await run(sql, values);
    if (Array.isArray(result)) return 'several statements';
    return (result as Shown).rows.length > 0 ? 'rows' : 'nothing';
  } catch (error) {
    return (error as { code?: string }).code === '42601' ? 'nothing' : String(error);
  }
}

(hasProgram('psql', '--version') ? test : test.skip)(
  'the script of the container makes a login that reads the views, and changes its password',
  async () => {
    const user = `${database.name}_Grafana`;
    const login = (password: string) => database.client({ user, password });
    try {
      expect(await makeLogin(user, `first's "one"`)).toBe(0);
      expect(await makeLogin(user, 'second $1')).toBe(0);
      const { rows } = await (await login('second $1')).query('select model_name from pgscore_bi.current_model_health');
      expect(rows).toEqual([]);
      await expect(login(`first's "one"`)).rejects.toMatchObject({ code: '28P01' });
    } finally {
      const drop = `drop role if exists "${user}"`;
      await superuser.query(drop);
    }
  },
);

/** In a session of its own, as in a container: psql would ask the terminal. */
async function makeLogin(user: string, password: string): Promise<unknown> {
  const url = new URL(database.url());
  const env = {
    PATH: process.env['PATH'],
    PGHOST: url.hostname,
    PGPORT: url.port,
    PGUSER: decodeURIComponent(url.username),
    PGPASSWORD: decodeURIComponent(url.password),
    PGDATABASE: database.name,
    PGSCORE_GRAFANA_USER: user,
    PGSCORE_GRAFANA_PASSWORD: password,
  };
  const child = spawn('sh', [new URL('login.sh', FOLDER).pathname], { env, detached: true, stdio: 'ignore' });
  const [status] = (await once(child, 'exit')) as [number];
  return status;
}
