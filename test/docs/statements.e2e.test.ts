import { readdir, readFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { loadFlights } from '../../src/commands/demo/flights.ts';
import { failureOf, failureText } from '../../src/commands/failure.ts';
import { allInputs } from '../../src/commands/sql/inputs.ts';
import { Shell } from '../../src/commands/sql/shell.ts';
import { ident } from '../../src/lib/text.ts';
import { connectAsPerson } from '../../src/postgres/connect.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { expectCommitted } from '../support/committed.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { blocksOf, cellsOf, withOutputs, type Block } from './blocks.ts';
import { preparePage } from './prepare-page.ts';

const ROOT = new URL('../../', import.meta.url);
const PAGES = [
  'README.md',
  'docs/index.md',
  'docs/tutorial/first-model.md',
  'docs/guides/score-a-table-every-night.md',
  'docs/guides/score-a-row-in-a-query.md',
  'docs/guides/bring-the-truth.md',
  'docs/guides/page.md',
  'docs/guides/roll-out-a-challenger.md',
  'docs/guides/label-horizon.md',
  'docs/guides/alerts.md',
  'docs/guides/drift.md',
  'docs/guides/install.md',
  'docs/guides/managed-postgresql.md',
  'docs/guides/run-on-citus.md',
  'docs/guides/containers.md',
  'docs/guides/operations.md',
  'docs/guides/deploy-a-model.md',
  'docs/reference/sql.md',
  'docs/reference/casts.md',
  'docs/reference/models.md',
  'docs/reference/score.md',
  'docs/reference/runs.md',
  'docs/reference/schedules.md',
  'docs/reference/metrics.md',
  'docs/reference/monitoring.md',
  'docs/reference/errors.md',
  'docs/explanation/runs.md',
  'docs/explanation/versions.md',
  'docs/explanation/accuracy.md',
  'docs/explanation/native.md',
  'docs/explanation/security.md',
  // Last: rows that it scores as they come would be counted in what others show.
  'docs/guides/watch.md',
];
const MODELS = [
  ['arrival_delay', 'arrival_delay', {}],
  ['air_time', 'air_time_january', { trained_until: '2013-02-01 00:00-05' }],
  ['air_time', 'air_time_spring', { trained_until: '2013-07-01 00:00-04' }],
] as const;
/** ONNX Runtime adds float32 up in another order on another processor. */
const DIGITS = 6;

const texts = new Map(
  await Promise.all(PAGES.map(async (page) => [page, await readFile(new URL(page, ROOT), 'utf8')] as const)),
);
const blocks = [...texts].flatMap(([page, text]) => blocksOf(page, text));
const outputs = new Map<string, string>();

// Before cloneDatabase, whose hook closes the connections.
let drop = async (): Promise<void> => undefined;
afterAll(() => drop());
const database = await cloneDatabase();
await startTestService(database);
const superuser = await database.client();
/** Who reads the docs: may deploy, and owns the flights, in the schema `flights`. */
const you = { user: `${database.name}_you`, password: randomBytes(12).toString('hex') };

beforeAll(async () => {
  const role = ident(you.user);
  const create = `create role ${role} login password '${you.password}' in role pgscore_deployer, pgscore_analyst;
     create schema flights authorization ${role};
     alter role ${role} set search_path = flights, public; alter role ${role} set timezone = 'UTC';
     alter role ${role} set jit = off`;
  await superuser.query(create);
  drop = async () => {
    const remove = `drop owned by ${role} cascade; drop role ${role}`;
    await superuser.query(remove);
  };
  const client = await database.client(you);
  await loadFlights(client);
  for (const [model, file, options] of MODELS) await deployModel(client, model, `demo/models/${file}.onnx`, options);
  await client.query(
    "select pgscore.monitor(name, time_zone => 'America/New_York') from unnest(array['arrival_delay', 'air_time']) name",
  );
});

const COUNTED = 'select bool_and(is_settled) is not false as done from pgscore.label_sources';
const COMPARED = `select not exists (select from pgscore_bi.version_comparison where undefined_reason = 'not_compared') as done`;

/** Until what a statement of the accuracy views is about has been counted. */
async function settled(sql: string): Promise<void> {
  if (!/pgscore_bi\.|label_sources/.test(sql)) return;
  const owed = sql.includes('version_comparison') ? COMPARED : COUNTED;
  const done = async () => (await superuser.query<{ done: boolean }>(owed)).rows[0]?.done;
  await waitFor(done, { message: 'labels to be counted', timeout: 100_000 });
}

/** What the shell of `pgscore sql` prints of a block, and its error. */
async function run({ sql, asSuperuser }: Block): Promise<{ stdout: string; failure: string | undefined }> {
  const url = asSuperuser ? database.url() : database.url(you);
  const client = await connectAsPerson({ url, applicationName: 'pgscore sql' });
  let stdout = '';
  const shell = new Shell(client, (line) => (stdout += `${line}\n`));
  try {
    for (const input of allInputs(sql.replaceAll(/\bto you\b/g, `to "${you.user}"`))) await shell.run(input);
    return { stdout, failure: undefined };
  } catch (error) {
    return { stdout, failure: failureText(failureOf(error)) };
  } finally {
    await client.end();
  }
}

/** Whether a shown number is the number that came, but for its last digits. */
const isAlike = (shown: string, cell: string): boolean =>
  shown === cell ||
  (/^-?\d+\.\d+$/.test(shown) && Math.abs(Number(shown) - Number(cell)) < 10 ** -DIGITS * Math.max(1, Number(shown)));

/** What the last statement gave, without the number of its rows. */
const resultOf = (stdout: string): string =>
  (stdout.split(/^\(\d+ rows?\)\n/m).at(-2) ?? '')
    .replaceAll(/^[A-Z]+( \d+)?\n/gm, '')
    .trimEnd()
    .replaceAll(/[ \t]+$/gm, '');

let prepared = '';

test.each(blocks.map((block) => [`${block.page}:${block.line}`, block] as const))('%s runs', async (_, block) => {
  if (block.notRun !== undefined) return;
  if (prepared !== block.page) await preparePage(block.page, await database.client(you), superuser);
  prepared = block.page;
  await settled(block.sql);
  const { stdout, failure } = await run(block);
  expect(failure).toEqual(block.fails ? expect.any(String) : undefined);
  if (block.shown === undefined || block.varies || block.fails) return;
  const output = resultOf(stdout);
  outputs.set(block.sql, output);
  if (process.env['UPDATE_PAGES'] !== undefined) return;
  const came = cellsOf(output);
  expect(cellsOf(block.shown).map((cell, at) => (isAlike(cell, came[at] ?? '') ? came[at] : cell))).toEqual(came);
});

test('every page that shows SQL is read here, but for those on BI tools', async () => {
  const files = await readdir(new URL('docs/', ROOT), { recursive: true });
  const pages = files.filter((file) => file.endsWith('.md') && !file.startsWith('guides/bi/'));
  const read = pages.map(
    async (page) => [`docs/${page}`, await readFile(new URL(`docs/${page}`, ROOT), 'utf8')] as const,
  );
  const shown = (await Promise.all(read)).filter(([page, text]) => blocksOf(page, text).length > 0);
  expect(PAGES).toEqual(expect.arrayContaining(shown.map(([page]) => page)));
});

test('each page shows what its statements give', async () => {
  if (process.env['UPDATE_PAGES'] === undefined) return;
  for (const [page, text] of texts) await expectCommitted(page, withOutputs(text, outputs));
});

test('the reference of SQL names every function and view that people use, and no other', async () => {
  const { rows } = await superuser.query<{ name: string }>(
    `select proname::text as name from pg_proc where pronamespace = 'pgscore'::regnamespace and proname !~ '^_'
     union select relname from pg_class where relnamespace = 'pgscore'::regnamespace and relkind = 'v' and relname !~ '^_' order by 1`,
  );
  const page = await readFile(new URL('docs/reference/sql.md', ROOT), 'utf8');
  const named = new Set(
    [...page.matchAll(/^\|.*$/gm)].flatMap(([line]) => [...line.matchAll(/pgscore\.(\w+)/g)].map(([, name]) => name)),
  );
  expect(named).toEqual(new Set(rows.map(({ name }) => name)));
});
