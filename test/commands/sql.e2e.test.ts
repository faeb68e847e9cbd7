import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { recordDemo } from '../../src/commands/connection.ts';
import { cloneDatabase } from '../support/database.ts';
import { runCli } from './run-cli.ts';

const database = await cloneDatabase();
const url = database.url('alice');
const folder = await mkdtemp(join(tmpdir(), 'pgscore-'));
afterAll(() => rm(folder, { recursive: true }));

test('a statement is run with the caller’s own settings and printed as a table', async () => {
  const said = await runCli(['sql', '-c', 'select current_schema() as schema, 7 as n'], { url });
  expect(said).toEqual({ exit: 0, stderr: '', stdout: ' schema | n\n--------+---\n alice  | 7\n(1 row)\n' });
});

test('statements that are given apart are all run, in their order', async () => {
  const said = await runCli(['sql', '-c', 'create temp table t (id int)', '-c', 'insert into t values (1)'], { url });
  expect(said).toMatchObject({ exit: 0, stdout: 'CREATE\nINSERT 1\n' });
});

test('a script is run from standard input until its first error, which it points at', async () => {
  const input = 'create table t (id int);\ninsert into t values (1), (2);\nselect nope from t;\ndrop table t;';
  const { exit, stdout, stderr } = await runCli(['sql'], { url, input });
  expect(exit).toBe(1);
  expect(stdout).toBe('CREATE\nINSERT 2\n');
  expect(stderr.split('\n').slice(0, 3)).toEqual([
    'pgscore: column "nope" does not exist',
    '  LINE 1: select nope from t',
    '                 ^',
  ]);
  expect(await runCli(['sql', '-c', 'drop table t'], { url })).toMatchObject({ exit: 0 });
});

test('variables carry a value from one statement to the next', async () => {
  const input = "select 6 * 7 as n, 'it''s' as word \\gset\nselect :n + 1 as m, :'word' as w;\n\\q\nselect 1;";
  const { exit, stdout } = await runCli(['sql'], { url, input });
  expect(exit).toBe(0);
  expect(stdout).toContain(" 43 | it's\n");
  expect(stdout.endsWith('(1 row)\n')).toBe(true);
});

test('notices are told apart from results', async () => {
  const { stdout, stderr } = await runCli(['sql', '-c', "do $$ begin raise notice 'half done'; end $$"], { url });
  expect(stdout).toBe('DO\n');
  expect(stderr).toBe('NOTICE:  half done\n');
});

test('what the shell has no command for is left to psql', async () => {
  const said = await runCli(['sql', '-c', '\\dt'], { url });
  expect(said).toMatchObject({ exit: 2, stdout: '', stderr: expect.stringContaining('psql has more') });
});

test('a file is run as standard input is', async () => {
  const script = join(folder, 'script.sql');
  await writeFile(script, 'select 1 as n;\nselect 2 as m');
  const { exit, stdout } = await runCli(['sql', script], { url });
  expect({ exit, stdout }).toEqual({ exit: 0, stdout: ' n\n---\n 1\n(1 row)\n m\n---\n 2\n(1 row)\n' });
  expect(await runCli(['sql', join(folder, 'none.sql')], { url })).toMatchObject({ exit: 66, stdout: '' });
});

test('JSON has the rows of the last statement, with numbers as numbers', async () => {
  const { stdout } = await runCli(['sql', '--json', '-c', 'select 1; select 2::bigint as n, null as x'], { url });
  expect(JSON.parse(stdout)).toEqual([{ n: 2, x: null }]);
});

test('JSON has what it has no form for as the server writes it', async () => {
  const values = `9007199254740993 as big, 'NaN'::float8 as nan, '{NaN,-Infinity,1.5}'::real[] as list, date '2026-01-01' as day,
    timestamp '2026-01-01 00:00:00.123456' as ts, array[date '2026-01-01'] as days, '\\x00ff'::bytea as bytes, '{"a": 1}'::jsonb as j`;
  const { stdout } = await runCli(['sql', '--json', '-c', `select ${values}`], {
    url,
    env: { TZ: 'America/New_York' },
  });
  expect(JSON.parse(stdout)).toEqual([
    {
      big: '9007199254740993',
      nan: 'NaN',
      list: ['NaN', '-Infinity', 1.5],
      day: '2026-01-01',
      ts: '2026-01-01 00:00:00.123456',
      days: '{2026-01-01}',
      bytes: '\\x00ff',
      j: { a: 1 },
    },
  ]);
});

test('JSON leaves no column out: two of one name are refused', async () => {
  const said = await runCli(['sql', '--json', '-c', 'select count(*), count(null)'], { url });
  expect(said).toMatchObject({ exit: 2, stdout: '', stderr: expect.stringContaining('two columns are called') });
});

test('COPY with the client is refused before anything is lost', async () => {
  const said = await runCli(['sql', '-c', 'copy (select 1) to stdout'], { url });
  expect(said).toMatchObject({ exit: 2, stdout: '' });
  expect(said.stderr).toContain('Use psql');
});

test('a file becomes a large object, as with psql', async () => {
  const input = `\\lo_import package.json\nselect length(lo_get(:LASTOID)) > 100 as long;`;
  const { stdout } = await runCli(['sql'], { url, input });
  expect(stdout).toMatch(/lo_import \d+\n.*\n.*\n t\n/);
});

describe('without a database', () => {
  test('it connects to the demo of this folder', async () => {
    await recordDemo(join(folder, '.pgscore'), url);
    const { stdout } = await runCli(['sql', '-c', 'select current_user as me'], { cwd: folder });
    expect(stdout).toContain(' alice\n');
  });

  test('or of the folder that the environment names', async () => {
    await mkdir(join(folder, 'elsewhere'));
    await recordDemo(join(folder, 'elsewhere'), url);
    const env = { PGSCORE_DATA_DIR: 'elsewhere' };
    const { stdout } = await runCli(['sql', '-c', 'select current_user as me'], { cwd: folder, env });
    expect(stdout).toContain(' alice\n');
  });

  test('a database that is named goes before the demo', async () => {
    const env = { PGHOST: '127.0.0.1', PGPORT: '1' };
    const said = await runCli(['sql', '-c', 'select 1'], { cwd: folder, env });
    expect(said).toMatchObject({ exit: 3, stderr: expect.stringContaining('cannot reach') });
  });
});
