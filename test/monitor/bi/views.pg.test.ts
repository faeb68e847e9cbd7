import { readdirSync, readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { ident } from '../../../src/lib/text.ts';
import { hasProgram, psql } from '../../online/psql.ts';
import { asGrafana } from './dashboard.ts';
import { MODELS, stageForAnalyst } from './staged.ts';

const { database, superuser, login, analyst } = await stageForAnalyst();

type Column = { view: string; name: string; type: string; meaning: string | null };

/** As a tool finds them: information_schema lists what the login may read. */
const { rows: columns } = await analyst.query<Column>(
  `select c.table_name::text as view, c.column_name::text as name, c.data_type::text as type,
          col_description(format('%I.%I', c.table_schema, c.table_name)::regclass, c.ordinal_position) as meaning
     from information_schema.columns c where c.table_schema = 'pgscore_bi' order by c.table_name, c.ordinal_position`,
);
const views = [...new Set(columns.map(({ view }) => view))];
const columnsOf = (view: string): Column[] => columns.filter((column) => column.view === view);

const isDate = (value: unknown): boolean => value instanceof Date && Number.isFinite(value.getTime());
const FITS: Readonly<Record<string, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  bigint: (value) => typeof value === 'string' && /^-?\d+$/.test(value),
  'double precision': (value) => typeof value === 'number' && Number.isFinite(value),
  boolean: (value) => typeof value === 'boolean',
  date: isDate,
  'timestamp with time zone': isDate,
};

test('a tool finds the views and nothing else, with the meaning of each and of each column', async () => {
  const { rows } = await analyst.query<{ schema: string; name: string; meaning: string | null }>(
    `select t.table_schema::text as schema, t.table_name::text as name, obj_description(format('%I.%I', t.table_schema, t.table_name)::regclass, 'pg_class') as meaning
       from information_schema.tables t where t.table_schema not in ('pg_catalog', 'information_schema') order by 2`,
  );
  expect(rows.map(({ schema }) => schema).filter((schema) => schema !== 'pgscore_bi')).toEqual([]);
  expect(rows.map(({ name }) => name)).toEqual(views.toSorted());
  expect(views.length).toBeGreaterThan(20);
  expect([...rows, ...columns].filter(({ meaning }) => (meaning ?? '') === '')).toEqual([]);
});

/** The staged models are in no experiment, not replayed, and give one value; a row of the audit comes after the first night. */
const EMPTY: ReadonlySet<string> = new Set([
  'experiment_results',
  'experiment_results_daily',
  'multilabel_performance_daily',
  'multilabel_performance_monthly',
  'multilabel_performance_weekly',
  'replay_performance_monthly',
  'rollup_audit',
]);

test.each(views)(
  'every value of %s has the type of its column, by the simple and the extended protocol',
  async (view) => {
    const read = `select * from pgscore_bi.${ident(view)}`;
    // With a name a statement is prepared, which takes the extended protocol.
    for (const query of [{ text: read }, { text: read, name: view }]) {
      const { rows, fields } = await analyst.query<Record<string, unknown>>(query);
      expect(fields.map(({ name }) => name)).toEqual(columnsOf(view).map(({ name }) => name));
      const misfits = columnsOf(view).flatMap(({ name, type }) =>
        rows
          .filter((row) => row[name] !== null && FITS[type]?.(row[name]) !== true)
          .map((row) => [name, type, row[name]]),
      );
      expect(misfits).toEqual([]);
      expect([view, rows.length > 0 || EMPTY.has(view)]).toEqual([view, true]);
    }
  },
);

test.each(views)('the columns of %s are known without a row, from a subquery', async (view) => {
  const probe = `select t.* from (select * from pgscore_bi.${ident(view)}) t limit 0`;
  const { rows, fields } = await analyst.query(probe);
  expect([rows.length, fields.length]).toEqual([0, columnsOf(view).length]);
});

(hasProgram('psql', '--version') ? test : test.skip)(
  'psql reads as many rows of each view, and no value that a spreadsheet cannot hold',
  async () => {
    const url = new URL(database.url());
    const where = `host=${url.hostname} port=${url.port} user=${login.user} dbname=${database.name}`;
    const read = views.map((view) => `copy (select * from pgscore_bi.${ident(view)}) to stdout with (format csv)`);
    const count = views.map((view) => `select count(*) from pgscore_bi.${ident(view)}`);
    const { exit, stdout, stderr } = await psql(where, [...count, ...read], login.password);
    expect([exit, stderr]).toEqual([0, '']);
    const lines = stdout.trimEnd().split('\n');
    const counted = lines.slice(0, views.length).reduce((sum, line) => sum + Number(line), 0);
    expect(counted).toBeGreaterThan(500);
    expect(lines.length - views.length).toBe(counted);
    expect(lines.filter((line) => /(?:^|,)(?:NaN|-?Infinity|\{.*|\[.*)(?:,|$)/.test(line))).toEqual([]);
  },
);

const FOLDER = new URL('../../../docs/guides/bi/', import.meta.url);
const pages = readdirSync(FOLDER).toSorted();
const read = (page: string): string => readFileSync(new URL(page, FOLDER), 'utf8');
const blocksOf = (page: string): string[] =>
  [...read(page).matchAll(/^```sql\n([\s\S]*?)^```$/gm)].map(([, sql = '']) => sql.trim());
const tools = pages.filter((page) => page !== 'README.md');
const questions = tools.flatMap((page) =>
  blocksOf(page)
    .filter((sql) => sql.includes('pgscore_bi.'))
    .map((sql, index) => ({ page, sql, index: index + 1 })),
);

const range = { from: new Date('2024-01-01T00:00:00Z'), to: new Date('2025-01-01T00:00:00Z') };

test('each tool has a page that says who connects, and starts with two questions', () => {
  expect(pages).toEqual(['README.md', 'grafana.md', 'metabase.md', 'power-bi.md', 'superset.md', 'tableau.md']);
  for (const page of tools) {
    expect(read(page)).toContain('](README.md#a-login)');
    expect([page, questions.filter((question) => question.page === page).length >= 2]).toEqual([page, true]);
  }
  expect(read('../../reference/monitoring.md')).toContain('](../guides/bi/README.md)');
  expect(read('../../index.md')).toContain('](guides/bi/README.md)');
});

test.each(questions)(
  'question $index of $page is answered to an analyst, with rows and without a moment in Power BI',
  async ({ page, sql }) => {
    const { rows } = await analyst.query<Record<string, unknown>>(asGrafana(sql, {}, range));
    expect(rows.length).toBeGreaterThan(0);
    const moments = rows.flatMap((row) => Object.keys(row).filter((name) => /_start$|_end$|_at$/.test(name)));
    expect(page === 'power-bi.md' ? moments : []).toEqual([]);
    expect(page === 'tableau.md' && sql.endsWith(';')).toBe(false);
  },
);

test('the login of the page reads the model that it was granted, and cannot score with it', async () => {
  const statements = blocksOf('README.md').find((sql) => sql.includes('create role')) ?? '';
  const name = login.user.replace('analyst', 'reader');
  await superuser.query('begin');
  const create = statements.replaceAll('bi_reader', name);
  await superuser.query(create);
  const become = `set local role "${name}"`;
  await superuser.query(become);
  const { rows } = await superuser.query('select distinct model_name as name from pgscore_bi.current_model_health');
  expect(rows).toEqual([{ name: MODELS.binary }]);
  await expect(superuser.query(`select pgscore.predict('arrival_delay', '{}'::jsonb)`)).rejects.toMatchObject({
    code: '42501',
  });
  await superuser.query('rollback');
});
