import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { adopt } from '../../src/install/installation.ts';
import { migrate } from '../../src/install/migrate.ts';
import { hasProgram } from '../online/psql.ts';
import { emptyDatabase, type TestDatabase } from '../support/database.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { atRest } from '../watches/watching.ts';
import { dumpSchema } from './schema-dump.ts';

/** Databases as earlier releases left them, with models, bindings, runs, labels and calls: dumped.e2e.test.ts writes one. */
const STATES = join(import.meta.dirname, 'states');
const found = hasProgram('psql', '--version');

const fresh = await emptyDatabase();
await migrate({ url: fresh.url() });
const installed = objectsOf(await dumpSchema(await fresh.client()));

const files = readdirSync(STATES);
const states = await Promise.all(files.map(async (file) => ({ file, database: await emptyDatabase() })));

/** What is made for a model, a binding or a target. */
const MADE = /pgscore_(models|predictions|sources)\.|pgscore_data\._binding_/;

/** What a caller reads, whatever the release. */
const READ = [
  `select id, score('sum', p) as answer from points p order by id`,
  'select id, pgscore_models.sum(p) as answer from points p order by id',
  `select id, score('sum', to_jsonb(p)) as answer from points p order by id`,
  'select id, stored as answer from points order by id',
  'select id, score as answer from points_scores order by id',
  `select id, pgscore.predict('sum', p) as answer from points p order by id`,
  'select id, kind as answer from things order by id',
  'select id, kind as answer from kinds order by id',
  `select id, pgscore.predict('kind', t) as answer from things t order by id`,
  'select id, score as answer from sums order by id',
  'select id, score as answer from points_live order by id',
  'select target, capture, pending, rows_scored from pgscore.watches',
  'select model, version, state, aliases, execution from pgscore.models order by model, version',
  'select run, state, rows_done from pgscore.runs order by run',
  'select name, cron, state from pgscore.schedules',
  'select model, score, inputs from pgscore.online_predictions order by prediction_id',
];

async function answers(client: Client): Promise<unknown[][]> {
  const all: unknown[][] = [];
  for (const text of READ) all.push((await client.query<Record<string, unknown>>(text)).rows);
  return all;
}

async function load(database: TestDatabase, file: string): Promise<void> {
  const flags = ['--quiet', '--no-psqlrc', '--set=ON_ERROR_STOP=1', `--dbname=${database.url()}`];
  const psql = spawn('psql', flags, { stdio: ['pipe', 'ignore', 'pipe'] });
  let words = '';
  psql.stderr.on('data', (piece: Buffer) => (words += piece.toString()));
  psql.stdin.on('error', () => undefined);
  psql.stdin.end(gunzipSync(readFileSync(join(STATES, file))));
  const [code] = (await once(psql, 'close')) as [number];
  if (code !== 0) throw new Error(`${file} could not be loaded: ${words}`);
}

/** A line that is not indented begins one. */
function objectsOf(dump: string): Set<string> {
  return new Set(dump.split(/\n(?! )/).map((object) => object.replaceAll(/[()]/g, '')));
}

for (const { file, database } of states) {
  (found ? describe : describe.skip)(`a database of ${file}`, () => {
    test('is migrated: it is as a new one, answers as before, and serves', async () => {
      await load(database, file);
      const [owner, alice] = [await database.client(), await database.client('alice')];
      const before = await answers(alice);
      expect(before.every((rows) => rows.length > 0)).toBe(true);

      await migrate({ url: database.url() });
      expect(await answers(alice)).toEqual(before);
      const migrated = objectsOf(await dumpSchema(owner));
      expect([...installed].filter((object) => !migrated.has(object))).toEqual([]);
      expect([...migrated].filter((object) => !installed.has(object) && !MADE.test(object))).toEqual([]);

      expect(await adopt(owner)).toBe('copy');
      await startTestService(database);
      const asked = `select score('asked', '{"x": 4}') as answer`;
      await waitFor(async () => (await alice.query(asked)).rows.length === 1, { message: 'an answer' });
      await alice.query('insert into points values (101, 101, 2)');
      await scoreTable(alice, 'sum', 'points');
      const scored = 'select score as answer from points_scores where id = 101';
      expect((await alice.query(scored)).rows).toEqual([{ answer: 121 }]);
      await atRest(alice, 'alice.points_live');
      const all = 'select id, score from points_scores order by id';
      expect((await alice.query(all.replace('scores', 'live'))).rows).toEqual((await alice.query(all)).rows);
    });
  });
}
