import { readFile } from 'node:fs/promises';

import { expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { loadFlights } from '../src/commands/demo/flights.ts';
import { cloneDatabase } from './support/database.ts';
import { endOfRun } from './support/run.ts';
import { startTestService } from './support/service.ts';
import { linesOf, readScenes, type Line } from './story/script.ts';

const FLIGHTS = 32_735;

const database = await cloneDatabase();
await startTestService(database);
const alice = await database.client('alice');
await loadFlights(alice);

type Told = {
  statement: string;
  rows: Record<string, unknown>[];
  notices: string[];
  variables: Record<string, string>;
};

/** Runs the script over plain connections, with what psql would do of its own: variables and files. */
async function tellStory(): Promise<Told[]> {
  const told: Told[] = [];
  const variables: Record<string, string> = {};
  for (const scene of await readScenes()) {
    const client = await database.client(scene.role);
    const notices: string[] = [];
    client.on('notice', ({ message = '' }) => notices.push(message));
    for (const line of linesOf(scene)) {
      const rows = await runLine(client, line, variables);
      const statement = line.kind === 'statement' ? line.text : line.file;
      told.push({ statement, rows, notices: notices.splice(0), variables: { ...variables } });
    }
  }
  return told;
}

async function runLine(client: Client, line: Line, variables: Record<string, string>): Promise<Told['rows']> {
  if (line.kind === 'import') {
    const { rows } = await client.query<{ oid: string }>('select lo_from_bytea(0, $1) as oid', [
      await readFile(line.file),
    ]);
    variables['LASTOID'] = String(rows[0]?.oid);
    return [];
  }
  const text = line.text.replace(/(?<!:):(\w+)/g, (_, name: string) => variables[name] ?? '');
  const { rows } = await client.query<Record<string, unknown>>(text);
  if (line.gset) for (const [name, value] of Object.entries(rows[0] ?? {})) variables[name] = String(value);
  return rows;
}

const story = await tellStory();

/** What came of the n-th statement that begins so. */
function told(beginning: string, n = 0): Told {
  const found = story.filter(({ statement }) => statement.startsWith(beginning))[n];
  if (found === undefined) throw new Error(`the story has no ${beginning}`);
  return found;
}

test('a deployed model is checked, and shown with what it takes and gives', () => {
  expect(told('select pgscore.deploy').rows).toEqual([{ deploy: 'arrival_delay@1' }]);
  expect(told('call pgscore.wait_for_version').notices).toEqual(['version "arrival_delay@1" is ready']);
  expect(told('select * from pgscore.models').rows).toMatchObject([
    { model: 'arrival_delay', version: 1, aliases: ['champion'], state: 'ready', task: 'binary', deployed_by: 'ada' },
  ]);
  const facts = told('select * from pgscore.describe_model').rows.map(({ property }) => property);
  expect(facts).toEqual(expect.arrayContaining(['version', 'state', 'inputs', 'outputs', 'sha256', 'deployed by']));
});

test('one value is scored inside a query, natively, by the service and by the function of a bound table alike', () => {
  const native = told('select f.flight_id, score(').rows;
  const others = [told('select f.flight_id, score(', 1), told('select f.flight_id, pgscore_models.')];
  expect(native).toHaveLength(5);
  for (const { rows } of others) {
    expect(rows).toEqual(native.map(({ flight_id }) => ({ flight_id, score: expect.any(Number) })));
    for (const [index, { score }] of native.entries()) {
      expect(Number(rows[index]?.['score'])).toBeCloseTo(Number(score), 5);
    }
  }
  expect(told('select pgscore.predict').rows).toMatchObject([{ predict: { label: '0', version: 'arrival_delay@1' } }]);
  expect(told('select count(*) as flights, avg(score').rows).toMatchObject([{ flights: String(FLIGHTS) }]);
  const [first, ...rest] = told('select f.flight_id, f.dest').rows.map(({ risk }) => Number(risk));
  expect(rest.every((risk) => risk <= (first ?? 0) && risk > 0.9)).toBe(true);
});

test('what the service answered is on record: a row, another in full, and many in one call', () => {
  const { flights, scores } = told('select count(*) as flights, count(s.score)').rows[0] ?? {};
  expect(scores).toBe(flights);
  const kept = String(5 + 1 + Number(flights));
  expect(told('select request_id').rows).toEqual([{ request_id: 'story', model: 'arrival_delay', version: 1, kept }]);
});

test('a table is scored, and every flight has a prediction for the time it is scheduled at', async () => {
  expect(told('call pgscore.wait_for_run').notices.at(-1)).toMatch(/is done: 32735 rows, 0 failed/);
  const [first] = told('select * from flight_delay_scores limit 5').rows;
  expect(Object.keys(first ?? {})).toEqual([
    'flight_id',
    'score',
    'label',
    'probability_0',
    'probability_1',
    'error_code',
    'model_version',
    'run_id',
    'event_time',
    'scored_at',
  ]);
  const { rows } = await alice.query(`select scheduled_at from flight_features where flight_id = $1`, [
    first?.['flight_id'],
  ]);
  expect(rows).toEqual([{ scheduled_at: first?.['event_time'] }]);
  expect(told('select * from pgscore.runs').rows).toMatchObject([
    {
      model: 'arrival_delay@1',
      source: 'alice.flight_features',
      state: 'done',
      rows_done: String(FLIGHTS),
      rows_failed: '0',
    },
  ]);
  expect(told('select * from pgscore.run_errors').rows).toEqual([]);
});

test('a run can be cancelled until it has ended', async () => {
  expect(told('select pgscore.cancel_run', 0).rows).toEqual([{ too_late: false }]);
  expect(told('select pgscore.cancel_run', 1).rows).toEqual([{ cancelled: true }]);
  const { run = '' } = told('select pgscore.cancel_run', 1).variables;
  expect(await endOfRun(alice, run)).toMatchObject({ state: 'cancelled', published: null });
});

test('a schedule submits runs until it is dropped', async () => {
  expect(told('select * from pgscore.schedules').rows).toMatchObject([
    {
      name: 'nightly',
      cron: '0 2 * * *',
      source: 'alice.flight_features',
      target: 'alice.flight_delay_scores',
      state: 'active',
    },
  ]);
  const { run } = told('select pgscore.run_schedule').variables;
  expect(told('select name, outcome, run').rows).toEqual([{ name: 'nightly', outcome: 'submitted', run }]);
  expect(told('call pgscore.wait_for_run', 1).notices.at(-1)).toMatch(/is done: 32735 rows/);
  expect((await alice.query('select * from pgscore.schedules')).rows).toEqual([]);
});

test('versions change places, and a challenger goes to the history', () => {
  expect(told('select pgscore.promote').rows).toEqual([{ promote: 'arrival_delay@2' }]);
  expect(told('select pgscore.rollback').rows).toEqual([{ rollback: 'arrival_delay@1' }]);
  expect(told('select pgscore.set_alias').rows).toEqual([{ set_alias: 'arrival_delay@3' }]);
  expect(told('select pgscore.drop_version').rows).toEqual([{ drop_version: 'arrival_delay@2' }]);
  const [champion, challenger] = told('select model_version, count(*) as flights, count(*) filter').rows;
  expect([champion, challenger]).toMatchObject([
    { model_version: 'arrival_delay@1', flights: String(2 * FLIGHTS) },
    { model_version: 'arrival_delay@3', flights: String(FLIGHTS) },
  ]);
  // The lower threshold calls more flights late; the champion has two runs in the history.
  expect(Number(challenger?.['late'])).toBeGreaterThan(Number(champion?.['late']) / 2);
  expect(told('select model_version, count(*) as flights from flight_delay_scores ').rows).toEqual([
    { model_version: 'arrival_delay@1', flights: String(FLIGHTS) },
  ]);
});

test('a dropped target takes its views and predictions along', async () => {
  expect(told('select * from pgscore.targets').rows).toEqual([]);
  const { rows } = await alice.query(
    `select to_regclass('flight_delay_scores') as latest, to_regclass('flight_delay_scores_history') as history`,
  );
  expect(rows).toEqual([{ latest: null, history: null }]);
  const superuser = await database.client();
  const { rows: left } = await superuser.query(
    `select relname from pg_class where relnamespace = 'pgscore_predictions'::regnamespace`,
  );
  expect(left).toEqual([]);
});

test('the audit tells who changed what', () => {
  const steps = told('select action, actor, version').rows;
  expect(steps.map(({ action, version }) => `${String(action)} ${String(version)}`)).toEqual([
    'deploy 1',
    'bind null',
    'unbind null',
    'deploy 2',
    'deploy 3',
    'promote 2',
    'rollback 1',
    'set_alias 3',
    'drop_version 2',
  ]);
  expect(new Set(steps.map(({ actor }) => actor))).toEqual(new Set(['ada', 'alice']));
});
