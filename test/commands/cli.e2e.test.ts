import { describe, expect, test } from '@jest/globals';

import { cloneDatabase, emptyDatabase } from '../support/database.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { submitRun } from '../support/run.ts';
import { runCli } from './run-cli.ts';

const database = await cloneDatabase();
const empty = await emptyDatabase();

describe('what is typed wrong', () => {
  test.each([
    [['modls'], "pgscore: unknown command 'modls'\n  Did you mean models?\n  [usage]\n"],
    [['deploy', 'x.onnx'], "pgscore: required option '--model <name>' not specified\n  Add --help"],
    [['runs', 'seven'], 'pgscore: "seven" is not the number of a run\n'],
    [['runs', '--errors'], 'pgscore: --errors needs the number of a run\n'],
    [['serve', '--poll', 'soon'], 'pgscore: --poll (PGSCORE_POLL) is "soon"\n'],
    [['models', '--database-url', 'mysql://x'], 'pgscore: the database URL does not begin with postgresql://\n'],
  ])('%j ends with status 2 and says what to type', async (args, said) => {
    const { exit, stdout, stderr } = await runCli(args);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr.startsWith(said)).toBe(true);
  });

  test('is JSON where JSON was asked for', async () => {
    const { exit, stderr } = await runCli(['runs', 'seven', '--json']);
    expect(exit).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'usage', exit: 2 } });
  });
});

test('no command is answered with the help, and status 2', async () => {
  const { exit, stderr } = await runCli([]);
  expect(exit).toBe(2);
  expect(stderr).toMatch(/^Usage: pgscore/);
});

test('help of a command is what its --help prints', async () => {
  const asked = await runCli(['help', 'score']);
  expect(asked).toEqual(await runCli(['score', '--help']));
  expect(asked).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^Usage: pgscore score/) });
  expect((await runCli(['help'])).stdout).toBe((await runCli(['--help'])).stdout);
});

test('--version is the version of the package', async () => {
  expect(await runCli(['--version'])).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

describe('a database', () => {
  test('that cannot be reached ends with status 3, and without its password on the screen', async () => {
    const { exit, stderr } = await runCli(['models'], { url: 'postgresql://alice:secret@127.0.0.1:1/d' });
    expect(exit).toBe(3);
    expect(stderr).toContain('cannot reach postgresql://alice@127.0.0.1:1/d');
    expect(stderr).not.toContain('secret');
  });

  test('without pgscore ends with status 4 and says how to install it', async () => {
    const { exit, stderr } = await runCli(['models'], { url: empty.url('alice') });
    expect(exit).toBe(4);
    expect(stderr).toBe(
      `pgscore: database "${empty.name}" has no pgscore\n  Install it as the owner of the database: pgscore migrate\n  [not_installed]\n`,
    );
  });

  test('that the role may not use ends with status 4 and the line to run', async () => {
    const superuser = await database.client();
    const stranger = `stranger_${database.name}`;
    const create = `create role ${stranger} login password 'stranger'`;
    const drop = `drop role ${stranger}`;
    await superuser.query(create);
    try {
      const url = database.url({ user: stranger, password: 'stranger' });
      const { exit, stderr } = await runCli(['runs'], { url });
      expect(exit).toBe(4);
      expect(stderr).toContain(`run: grant pgscore_user to "${stranger}";`);
    } finally {
      await superuser.query(drop);
    }
  });
});

test('an error of PostgreSQL keeps its hint and its SQLSTATE', async () => {
  const { exit, stderr } = await runCli(['models', 'nope'], { url: database.url('alice') });
  expect(exit).toBe(1);
  expect(stderr).toMatch(
    /^pgscore: model "nope" does not exist\n {2}No model is deployed yet.*\n {2}\[statement_failed, SQLSTATE 42704\]\n$/,
  );
});

test.each(['models', 'runs', 'schedule list', 'schedule history', 'watches'])(
  'pgscore %s says so where there is nothing, and gives an empty list to a program',
  async (words) => {
    const url = database.url('alice');
    const args = words.split(' ');
    expect(await runCli(args, { url })).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/^(No|Nothing) .*\n$/),
    });
    expect(await runCli([...args, '--json'], { url })).toEqual({ exit: 0, stdout: '[]\n', stderr: '' });
  },
);

test('a schedule that does not exist is not said to have fired never', async () => {
  const { exit, stderr } = await runCli(['schedule', 'history', 'nope'], { url: database.url('alice') });
  expect(exit).toBe(2);
  expect(stderr).toMatch(/^pgscore: schedule "nope" does not exist, or is not yours\n/);
});

test('a command goes on where nobody reads its notes', async () => {
  const statements = "do $$ begin raise notice 'noted'; end $$; select pg_sleep(0.3); select 6 * 7 as answer;";
  const options = { url: database.url('alice'), stderrClosed: true };
  const { exit, stdout } = await runCli(['sql', '-c', statements], options);
  expect({ exit, stdout }).toEqual({ exit: 0, stdout: expect.stringContaining('42') });
});

test('the service ends with status 0 at Ctrl-C, and with 4 where there is nothing to serve', async () => {
  const login = { user: 'pgscore_service', password: SERVICE_PASSWORD };
  const env = { PGSCORE_READER_PASSWORD: READER_PASSWORD, PGSCORE_HTTP_PORT: '0', PGSCORE_GATEWAY_PORT: '0' };
  const served = await runCli(['serve'], { url: database.url(login), env, interruptAt: 'pgscore serves' });
  expect(served).toMatchObject({ exit: 0, stderr: expect.stringContaining('pgscore has stopped') });
  const nothing = await runCli(['serve'], { url: empty.url(login), env });
  expect(nothing).toMatchObject({ exit: 4, stderr: expect.stringContaining('[not_installed]') });
});

test('Ctrl-C asks for the run to be cancelled, and ends with status 130 when it is', async () => {
  await addReadyModel(await database.client(), 'churn');
  const alice = await database.client('alice');
  await alice.query('create table customers (id int primary key, x real)');
  const url = database.url('alice');
  const { exit, stdout, stderr } = await runCli(['score', 'churn', 'customers'], { url, interruptAt: 'No service' });
  expect({ exit, stdout }).toEqual({ exit: 130, stdout: '' });
  expect(stderr).toMatch(
    /No service is running; run 1 waits for one.*\nCancelling run 1.*\npgscore: run 1 was cancelled\n/,
  );
  const { rows } = await alice.query('select state from pgscore.runs');
  expect(rows).toEqual([{ state: 'cancelled' }]);
});

test.each([
  ['queued', null, 'Run RUN is queued; no row that failed is known.\n'],
  ['failed', 'two rows have the same key', 'Run RUN failed, for no row in particular: two rows have the same key\n'],
  ['done', null, 'Every row of run RUN was scored.\n'],
])('a run that is %s and shows no failed row is not said to be more than that', async (state, error, said) => {
  const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);
  await addReadyModel(superuser, state);
  await alice.query('drop table if exists source; create table source (id int primary key, x real)');
  const run = await submitRun(alice, state, 'source');
  await superuser.query('update pgscore_data.run set state = $2, error = $3 where run_id = $1', [run, state, error]);
  const { stdout } = await runCli(['runs', run, '--errors'], { url: database.url('alice') });
  expect(stdout).toBe(said.replace('RUN', run));
});
