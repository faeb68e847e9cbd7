import { readdirSync, readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { asGrafana } from './dashboard.ts';
import { MODELS, stageForAnalyst } from './staged.ts';

const FOLDER = new URL('../../../docs/guides/bi/', import.meta.url);
const pages = readdirSync(FOLDER).toSorted();
const read = (page: string): string => readFileSync(new URL(page, FOLDER), 'utf8');
const blocksOf = (page: string): string[] =>
  [...read(page).matchAll(/^```sql\n([\s\S]*?)^```$/gm)].map(([, sql = '']) => sql.trim());
const views = pages.filter((page) => page !== 'README.md');
const questions = views.flatMap((page) =>
  blocksOf(page)
    .filter((sql) => sql.includes('pgscore_bi.'))
    .map((sql, index) => ({ page, sql, index: index + 1 })),
);

const range = { from: new Date('2024-01-01T00:00:00Z'), to: new Date('2025-01-01T00:00:00Z') };

const { superuser, analyst, login } = await stageForAnalyst();

test('each tool has a page that says who connects, and starts with two questions', () => {
  expect(pages).toEqual(['README.md', 'grafana.md', 'metabase.md', 'power-bi.md', 'superset.md', 'tableau.md']);
  for (const page of views) {
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
