import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { adopt, installationState } from '../../src/install/installation.ts';
import { migrate } from '../../src/install/migrate.ts';
import { classModel } from '../support/class-model.ts';
import { cloneDatabase, emptyDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { scoreTable } from '../support/run.ts';
import { serverVersionOf } from '../support/server-version.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { atRest } from '../watches/watching.ts';
import { dumpSchema } from './schema-dump.ts';

const original = await cloneDatabase();
const copy = await emptyDatabase();
const superuser = await original.client();

/** pg_dump takes servers that are no newer than itself. */
const [, major] = /(\d+)\.\d/.exec(spawnSync('pg_dump', ['--version'], { encoding: 'utf8' }).stdout ?? '') ?? [];
const found = Number(major ?? 0) >= Math.floor((await serverVersionOf(superuser)) / 10_000);
if (!found) console.log(`skipped: pg_dump is missing, or is ${major}, which is older than the server`);

/** Predicts x, with an operator that is not compiled to SQL. */
const ONLINE_ONLY = onnxModel({
  metadata: { 'pgscore.features': JSON.stringify(['x']) },
  inputs: [tensorValue('x', [null, 1])],
  tensors: [floats('none', [1], [0])],
  nodes: [node('Erf', ['x'], ['e']), node('Mul', ['e', 'none'], ['nothing']), node('Add', ['x', 'nothing'], ['y'])],
});

/** What every caller sees, whichever of both databases she asks. */
const ANSWERS = [
  `select id, score('sum', p) as answer from points p order by id`,
  `select id, pgscore_models.sum(p) as answer from points p order by id`,
  'select id, stored as answer from points order by id',
  'select id, score as answer from points_scores order by id',
  `select id, predicted from (select id, pgscore.predict('sum', p) as predicted from points p) x order by id`,
  'select id, kind as answer from things order by id',
  'select id, kind as answer from kinds order by id',
  'select id, score as answer from sums order by id',
  'select id, score as answer from points_live order by id',
  'select target, capture, pending, rows_scored from pgscore.watches',
  'select model, version, state, aliases, execution from pgscore.models order by model, version',
  'select run, state, rows_done from pgscore.runs order by run',
  'select name, cron, state from pgscore.schedules',
  'select model, score, inputs from pgscore.online_predictions order by prediction_id',
];

type Scored = { id: number; answer: number };

async function rowsOf(client: Client, text: string): Promise<unknown[]> {
  return (await client.query<Record<string, unknown>>(text)).rows;
}

const STEPS = [['--section=pre-data', '--section=data'], ['--section=post-data']];

async function restore(dump: string, flags: string[]): Promise<string> {
  return (await promisify(execFile)('pg_restore', [...flags, dump], { maxBuffer: 2 ** 28 })).stdout;
}

/** As SQL, for older-states.e2e.test.ts. */
async function keep(dump: string, path: string): Promise<void> {
  const parts: string[] = [];
  for (const sections of STEPS) parts.push(await restore(dump, [...sections, '--file=-']));
  // A command that an older psql does not know.
  const sql = parts.join('').replaceAll(/^\\(un)?restrict .*$/gm, '');
  await writeFile(path, gzipSync(sql, { level: 9 }));
}

async function dumpAndRestore(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pgscore-dump-'));
  const file = join(folder, 'dump');
  try {
    await promisify(execFile)('pg_dump', ['--format=custom', `--file=${file}`, original.url()]);
    // In two steps, as the documentation has it: rights come last in each, and the owner of an index makes it by hers.
    for (const sections of STEPS) await restore(file, ['--exit-on-error', ...sections, `--dbname=${copy.url()}`]);
    const kept = process.env['PGSCORE_KEEP_STATE'];
    if (kept !== undefined) await keep(file, kept);
  } finally {
    await rm(folder, { recursive: true });
  }
}

(found ? describe : describe.skip)(found ? 'a database that pg_dump took' : 'pg_dump: skipped', () => {
  let before: unknown[][];
  let alice: Client;

  beforeAll(async () => {
    const service = await startTestService(original);
    const [ada, user] = [await original.client('ada'), await original.client('alice')];
    await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
    await deployBytes(ada, 'asked', ONLINE_ONLY);
    // Of large models there are several.
    await superuser.query(
      `with first as (delete from pgscore_data.artifact where version_id = (select version_id from pgscore._find_version('asked')) returning *)
       insert into pgscore_data.artifact select version_id, is_served, n, substr(bytes, 1 + 50 * n, 50)
         from first, generate_series(0, (octet_length(bytes) - 1) / 50) n`,
    );
    await deployBytes(ada, 'kind', classModel(3), {
      class_labels: ['s', 'm', 'l'],
      features: ['x'],
      task: 'multiclass',
    });
    await superuser.query('grant usage on schema alice to pgscore_owner');
    await user.query('create table points (id int primary key, a real, b real)');
    await user.query(`select pgscore.bind('sum', 'points')`);
    await user.query(
      'alter table points add column stored float8 generated always as (pgscore_models.sum_v1(a, b)) stored',
    );
    // Without its rows where they are refused: they come before the models.
    await user.query('alter table points add constraint sound check (pgscore_models.sum_v1(a, b) > 0)');
    await user.query('create table things (id int primary key, x real)');
    await user.query(`select pgscore.bind('kind', 'things'), pgscore.bind('asked', 'things')`);
    await user.query('alter table things add column kind text generated always as (pgscore_models.kind_v1(x)) stored');
    await user.query('insert into things select n, n % 3 from generate_series(1, 30) n');
    await user.query(`create view kinds as select id, pgscore.classify('kind', t) as kind from things t`);
    await user.query(`create materialized view sums as select id, score('sum', p) as score from points p`);
    await user.query('insert into points select n, n, 2 from generate_series(1, 100) n');
    await user.query('create index points_score on points (pgscore_models.sum_v1(points))');
    await user.query('refresh materialized view sums');
    await scoreTable(user, 'sum', 'points');
    await user.query('create table truth (id int primary key, value float8, known_at timestamptz default now())');
    await user.query(`select pgscore.set_labels('sum', 'truth', label => 'value', known_at => 'known_at')`);
    await user.query('insert into truth select id, a from points');
    await user.query(`select pgscore.schedule('nightly', '0 2 * * *', 'sum', 'points')`);
    await user.query(`select pgscore.pause_schedule('nightly')`);
    await user.query(`select score('asked', '{"x": 3}')`);
    await waitFor(async () => (await rowsOf(user, ANSWERS.at(-1)!)).length === 1, { message: 'the log' });
    await user.query(`select pgscore.watch('sum', 'points', target => 'points_live')`);
    await atRest(user, 'alice.points_live');
    expect(await service.stop()).toBe(0);
    // These changes wait in the dump.
    await user.query('update points set b = 3 where id <= 10; delete from points where id = 100');
    await user.query('update truth set value = 7 where id <= 10');
    await user.query('refresh materialized view sums');
    before = [];
    for (const text of ANSWERS) before.push(await rowsOf(user, text));
    await dumpAndRestore();
    alice = await copy.client('alice');
  });

  test('is restored with all that callers see, and computes what it did', async () => {
    for (const [index, text] of ANSWERS.entries()) expect(await rowsOf(alice, text)).toEqual(before[index]);
    expect(before.map((rows) => rows.length)).toEqual([99, 99, 99, 100, 99, 30, 30, 99, 100, 1, 3, 2, 1, 1]);
  });

  test('is, after another migrate, as the original is', async () => {
    for (const database of [original, copy]) await migrate({ url: database.url() });
    // A condition that was read once more may have fewer parentheses.
    const [restored, first] = [await dumpSchema(await copy.client()), await dumpSchema(superuser)];
    expect(restored.replaceAll(/[()]/g, '')).toBe(first.replaceAll(/[()]/g, ''));
  });

  test('is a copy, and serves online calls and runs once it is adopted', async () => {
    const owner = await copy.client();
    expect(await installationState(owner)).toBe('copy');
    // Marks that wait for a transaction of the other server, which had more of them.
    await owner.query(
      `update pgscore_data.watch set compare_until = '9000000000000', busy_until = now() + '1 hour', busy_pid = pg_backend_pid()`,
    );
    await owner.query(
      `insert into pgscore_data.comparison_request (source_id, requested_in) select source_id, '9000000000000' from pgscore_data.label_source`,
    );
    const { rowCount: queued } = await owner.query(
      `update pgscore_data.label_change set captured_in = '9000000000000'`,
    );
    expect(queued).toBeGreaterThan(0);
    await alice.query('truncate truth');
    // Until it is adopted a service leaves what is watched alone, for three beats and more.
    await startTestService(copy, { PGSCORE_POLL: '0.2', PGSCORE_LEASE: '2' });
    const beats = new Set<string>();
    await waitFor(async () => {
      const text = `select heartbeat_at::text as beat from pgscore_data.service where state = 'paused'`;
      for (const row of await rowsOf(owner, text)) beats.add((row as { beat: string }).beat);
      return beats.size > 3;
    });
    for (const at of [8, 9]) expect(await rowsOf(alice, ANSWERS[at]!)).toEqual(before[at]);
    expect(await adopt(owner)).toBe('copy');
    const asked = `select score('asked', '{"x": 4}') as answer`;
    await waitFor(async () => (await rowsOf(alice, asked)).length === 1, { message: 'an answer' });
    expect(await rowsOf(alice, asked)).toEqual([{ answer: 4 }]);
    await alice.query('insert into points values (101, 101, 2)');
    await scoreTable(alice, 'sum', 'points');
    const scored = (before[2] as Scored[]).map(({ id, answer }) => ({ id, answer }));
    expect(await rowsOf(alice, ANSWERS[3]!)).toEqual([...scored, { id: 101, answer: 121 }]);
  });

  test('follows what it watches: what waited in the dump and what comes is scored, and nothing else', async () => {
    await atRest(alice, 'alice.points_live');
    expect(await rowsOf(alice, ANSWERS[8]!)).toEqual(await rowsOf(alice, ANSWERS[3]!));
    expect(await rowsOf(alice, 'select capture, rows_scored::int from pgscore.watches')).toEqual([
      { capture: 'triggers', rows_scored: 111 },
    ]);
    const captures = `select distinct p.proname from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgname like 'pgscore_watch%'
      union select proname from pg_proc where proname like 'capture\\_watch\\_%'`;
    expect(await rowsOf(alice, captures)).toHaveLength(1);
    await alice.query('update points set b = 4 where id = 50');
    await waitFor(
      async () => (await rowsOf(alice, 'select from points_live where id = 50 and score = 90')).length === 1,
    );
  });

  test('compares its labels: what waited in the dump is taken, and what the copy has no more is not', async () => {
    const settled = 'select error from pgscore.label_sources where is_settled';
    await waitFor(async () => (await rowsOf(alice, settled)).length === 1, { timeout: 30_000, message: 'the labels' });
    expect(await rowsOf(await copy.client(), 'select key from pgscore_data.evaluation')).toEqual([]);
  });
});
