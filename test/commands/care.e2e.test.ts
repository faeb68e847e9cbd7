import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { recordDemo } from '../../src/commands/connection.ts';
import { freshCluster } from '../install/fresh-cluster.ts';
import { runCli } from './run-cli.ts';

type Finding = { check: string; status: string; detail: string; remedy?: string };

const cluster = await freshCluster();
const database = await cluster.createDatabase();
const url = cluster.url(database);

async function doctor(
  env: Record<string, string> = {},
  at = url,
): Promise<{ exit: number | null; findings: Finding[] }> {
  const { exit, stdout } = await runCli(['doctor', '--json'], { url: at, env });
  return { exit, findings: JSON.parse(stdout) };
}

/** The findings that are not ok, but for what this machine may lack. */
function problems(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ check, status }) => status !== 'ok' && check !== 'locale');
}

test('the doctor sends a database without pgscore to be installed, before its roles get passwords', async () => {
  const { exit, findings } = await doctor({ PGSCORE_SERVICE_PASSWORD: 'service', PGSCORE_READER_PASSWORD: 'reader' });
  expect(exit).toBe(1);
  expect(problems(findings).map(({ check, remedy }) => [check, remedy])).toEqual([
    ['roles', 'pgscore migrate'],
    ['installation', 'pgscore migrate'],
  ]);
});

test('migrate says what it did, and what is left to do', async () => {
  const env = { PGSCORE_SERVICE_PASSWORD: 'service' };
  const { exit, stdout } = await runCli(['migrate'], { url, env });
  expect(exit).toBe(0);
  expect(stdout).toMatch(
    /^Created roles pgscore_owner, .*\nApplied 0001_models, .*\nSet the passwords of pgscore_service\.\n/,
  );
  expect(stdout).toContain(`is installed in database "${database}"`);
  expect(stdout).toContain('\\password pgscore_reader');
  expect(stdout).not.toMatch(/password pgscore_service|alter role/);
  const again = await runCli(['migrate'], { url });
  expect(again.stdout).toMatch(/^pgscore \S+ is up to date in database "\w+"\.\n$/);
});

describe('the doctor of an installation', () => {
  const passwords = { PGSCORE_SERVICE_PASSWORD: 'service', PGSCORE_READER_PASSWORD: 'reader' };

  test('finds nothing in the way, and no service', async () => {
    await runCli(['migrate'], { url, env: passwords });
    const { exit, findings } = await doctor(passwords);
    expect(exit).toBe(0);
    expect(problems(findings)).toEqual([
      { check: 'service', status: 'warn', detail: 'none is running', remedy: 'pgscore serve' },
    ]);
    expect(findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['Node.js', 'ONNX Runtime', 'PostgreSQL', 'NOTIFY', 'dblink', 'original', 'login']),
    );
  });

  test('looks at the demo of the folder where no database is named', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'doctor-'));
    await recordDemo(join(folder, '.pgscore'), url);
    const { exit, stdout } = await runCli(['doctor', '--json'], { cwd: folder });
    await rm(folder, { recursive: true });
    const findings: Finding[] = JSON.parse(stdout);
    expect({ exit, at: findings.find(({ check }) => check === 'database')?.detail }).toEqual({
      exit: 0,
      at: expect.stringContaining(`"${database}"`),
    });
  });

  test('finds a password that does not fit', async () => {
    const { exit, findings } = await doctor({ PGSCORE_READER_PASSWORD: 'wrong' });
    expect(exit).toBe(1);
    expect(problems(findings).map(({ check }) => check)).toContain('login');
  });

  test('finds roles that may too much or too little, each with the line that repairs it', async () => {
    await cluster.run(`alter role pgscore_service createdb nologin; grant pg_read_all_data to pgscore_reader;
      revoke pgscore_user from pgscore_deployer`);
    const { exit, findings } = await doctor();
    const roles = problems(findings).filter(({ check }) => check === 'roles');
    expect(exit).toBe(1);
    for (const { remedy } of roles) await cluster.run(remedy?.split('un: ')[1] ?? '');
    expect(roles).toHaveLength(4);
    expect((await doctor()).exit).toBe(0);
  });

  test('finds another version, and a restored copy', async () => {
    await cluster.run("update pgscore_data.installation set version = '0.0.1', database_oid = 1", database);
    const { exit, findings } = await doctor();
    expect(exit).toBe(1);
    expect(problems(findings).map(({ check, status }) => [check, status])).toEqual([
      ['installation', 'fail'],
      ['original', 'warn'],
      ['service', 'warn'],
    ]);
    expect((await runCli(['adopt'], { url })).stdout).toContain('is now an installation of its own');
    expect((await runCli(['migrate'], { url })).exit).toBe(0);
    expect((await doctor()).exit).toBe(0);
  });

  test('tells an ordinary role what it cannot see', async () => {
    const user = await cluster.createLogin();
    const { exit, findings } = await doctor({}, cluster.url(database, user));
    expect(exit).toBe(0);
    expect(problems(findings)).toMatchObject([{ check: 'installation', status: 'warn' }]);
  });
});

describe('uninstall', () => {
  test('asks, and without a terminal to ask on does nothing', async () => {
    const { exit, stderr } = await runCli(['uninstall'], { url });
    expect(exit).toBe(2);
    expect(stderr).toContain('nothing was dropped');
    expect((await doctor()).exit).toBe(0);
  });

  test('is refused while a service is at work', async () => {
    const add = `insert into pgscore_data.service (service_id, host, pid, version, scorers, state)
      values ('00000000-0000-0000-0000-000000000001', 'here', 1, '0', 1, 'running')`;
    await cluster.run(add, database);
    const { exit, stderr } = await runCli(['uninstall', '--yes'], { url });
    await cluster.run('delete from pgscore_data.service', database);
    expect(exit).toBe(4);
    expect(stderr).toContain('1 service still at work');
  });

  test('leaves the views of users alone unless told otherwise', async () => {
    await cluster.run('create view public.hers as select * from pgscore.models', database);
    const { exit, stderr } = await runCli(['uninstall', '--yes'], { url });
    expect(exit).toBe(4);
    expect(stderr).toContain('view public.hers');
    expect(stderr).toContain('--cascade');
  });

  test('takes everything out', async () => {
    const { exit, stdout } = await runCli(['uninstall', '--yes', '--cascade', '--roles'], { url });
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^pgscore is out of database "\w+"\.\nDropped roles pgscore_analyst, .*pgscore_owner\.\n$/);
    expect((await runCli(['uninstall', '--yes'], { url })).exit).toBe(4);
  });
});
