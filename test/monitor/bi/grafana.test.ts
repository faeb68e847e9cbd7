import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { FOLDER, readDashboard, type Panel } from './dashboard.ts';

const dashboard = readDashboard();
const file = (path: string): string => readFileSync(new URL(path, FOLDER), 'utf8');
const drawn = dashboard.panels.filter(({ type }) => type !== 'row');
const title = ({ title: words }: Panel): string => words;

test('every reference to a data source is to the one that is provisioned', () => {
  const provisioned = file('provisioning/datasources/pgscore.yaml');
  const [, uid] = /^ {4}uid: (\S+)$/m.exec(provisioned) ?? [];
  const [, type] = /^ {4}type: (\S+)$/m.exec(provisioned) ?? [];
  const references = [
    ...drawn.flatMap(({ datasource, targets = [] }) => [datasource, ...targets.map((target) => target.datasource)]),
    ...dashboard.annotations.list.filter(({ target }) => target !== undefined).map(({ datasource }) => datasource),
    ...dashboard.templating.list.filter((variable) => variable.type === 'query').map(({ datasource }) => datasource),
  ];
  expect(references.filter((reference) => reference?.uid !== uid || reference?.type !== type)).toEqual([]);
  expect(references.length).toBeGreaterThan(30);
});

test('the folder of dashboards is the one that the container mounts, and no password is written anywhere', () => {
  const [, path = 'none'] = /^ {6}path: (\S+)$/m.exec(file('provisioning/dashboards/pgscore.yaml')) ?? [];
  const compose = file('../compose.yaml');
  expect(compose).toContain(`./grafana/dashboards:${path}:ro`);
  expect(compose).toContain('./grafana/provisioning:/etc/grafana/provisioning:ro');
  expect(compose).toContain("ports: ['127.0.0.1:3000:3000']");
  const settings = [...file('provisioning/datasources/pgscore.yaml').matchAll(/\$(PGSCORE_\w+)/g)].map(
    ([, name]) => name,
  );
  expect(settings).toContain('PGSCORE_GRAFANA_PASSWORD');
  expect(settings.filter((name) => !compose.includes(`${name}: `))).toEqual([]);
});

test('panels have numbers and titles of their own, say what they show, and do not lie over each other', () => {
  const numbers = dashboard.panels.map(({ id }) => id);
  expect(new Set(numbers).size).toBe(numbers.length);
  const titles = dashboard.panels.map(title);
  expect(new Set(titles).size).toBe(titles.length);
  expect(drawn.filter(({ description = '' }) => description === '').map(title)).toEqual([]);
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)} ${y + Math.floor(index / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(dashboard.panels.filter(({ gridPos: { x, w } }) => x + w > 24).map(title)).toEqual([]);
});

test('every query is SQL of its own, has a letter, and quotes each variable', () => {
  const queries = [
    ...drawn.flatMap(({ targets = [] }) => targets),
    ...dashboard.annotations.list.flatMap(({ target }) => (target === undefined ? [] : [target])),
  ];
  expect(drawn.filter(({ targets = [] }) => targets.length === 0).map(title)).toEqual([]);
  const texts = [...queries.map(({ rawSql }) => rawSql), ...dashboard.templating.list.map(({ query }) => query)];
  const bare = /\$(?!\{(?:model|version|grain):sqlstring\}|__timeFilter\([a-z_"]+\))/;
  expect(texts.filter((sql) => bare.test(sql))).toEqual([]);
  expect(
    queries.filter(
      ({ refId, rawQuery, format }) => refId !== 'A' || !rawQuery || !/^(table|time_series)$/.test(format),
    ),
  ).toEqual([]);
  expect(dashboard.templating.list.map(({ name, multi }) => ({ name, multi }))).toEqual([
    { name: 'model', multi: false },
    { name: 'version', multi: false },
    { name: 'grain', multi: false },
  ]);
});
