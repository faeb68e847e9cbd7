import { describe, expect, test } from '@jest/globals';

import { cloneDatabase, emptyDatabase } from '../support/database.ts';
import { runCli } from './run-cli.ts';

const database = await cloneDatabase();
const empty = await emptyDatabase();

describe('what is typed wrong', () => {
  test.each([
    [['modls'], "pgscore: unknown command 'modls'\n  Did you mean models?\n  [usage]\n"],
    [['deploy', 'x.onnx'], "pgscore: required option '--model <name>' not specified\n  Add --help"],
    [['runs', 'seven'], 'pgscore: "seven" is not the number of a run\n'],
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

test.each([['models'], ['runs'], ['schedule', 'list'], ['schedule', 'history']])(
  'pgscore %s %s says so where there is nothing, and gives an empty list to a program',
  async (...args) => {
    const url = database.url('alice');
    const words = args.filter((word) => typeof word === 'string');
    expect(await runCli(words, { url })).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/^(No|Nothing) .*\n$/),
    });
    expect(await runCli([...words, '--json'], { url })).toEqual({ exit: 0, stdout: '[]\n', stderr: '' });
  },
);
