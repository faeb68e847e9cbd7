import { spawnSync } from 'node:child_process';

import { expect, test } from '@jest/globals';

import { loadFlights } from '../src/commands/demo/flights.ts';
import { cloneDatabase } from './support/database.ts';
import { startTestService } from './support/service.ts';
import { readScenes, type Scene } from './story/script.ts';

const psqlIsHere = spawnSync('psql', ['--version']).status === 0;
if (!psqlIsHere) console.log('skipped: the story through psql, which is not installed here');

const database = await cloneDatabase();
await startTestService(database);
const alice = await database.client('alice');
await loadFlights(alice);
// What comes of all flights is for story.e2e.test.ts to tell.
await alice.query('delete from flight_features where flight_id % 16 > 0');
const [{ flights }] = (await alice.query('select count(*) as flights from flight_features')).rows;

/** Runs a scene as its role, stopping at the first error; the password goes by the environment. */
function perform({ role, text }: Scene, url: string): string {
  const { username, password, hostname, port, pathname } = new URL(url);
  const env = {
    PATH: process.env['PATH'] ?? '',
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
  };
  const options = { input: text, env, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync('psql', ['-X', '-v', 'ON_ERROR_STOP=1'], options);
  if (status !== 0) throw new Error(`${role}'s scene failed:\n${stderr}`);
  return stdout + stderr;
}

(psqlIsHere ? test : test.skip)('the story runs in psql as it is written', async () => {
  const shown = (await readScenes()).map((scene) => perform(scene, database.url(scene.role))).join('\n');
  expect(shown).toContain('version "arrival_delay@1" is ready');
  expect(shown).toContain(`run 1 is done: ${flights} rows, 0 failed`);
  expect(shown).toMatch(new RegExp(`arrival_delay@3 \\| +${flights} \\|`));
});
