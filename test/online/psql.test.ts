import { describe, expect, test } from '@jest/globals';
import pg from 'pg';

import { hasProgram, psql } from './psql.ts';
import { scoreQuery, startTestGateway } from './test-server.ts';

const { port, defects } = await startTestGateway();
const where = `host=127.0.0.1 port=${port} user=pgscore dbname=any`;

const found = hasProgram('psql', '--version');

(found ? describe : describe.skip)(found ? 'psql' : 'psql: skipped, as it is missing', () => {
  test('pings, scores and shows errors with their SQLSTATE and hint', async () => {
    expect(
      await psql(where, ['ping', scoreQuery([{ x: 1.5 }, { x: 2 }]), "set client_encoding to 'UTF8'", 'ping;']),
    ).toEqual({
      exit: 0,
      stdout: 'ok\n1.5||\n2||\nSET\nok\n',
      stderr: '',
    });
    const refused = await psql(where, ['select 1']);
    expect(refused.exit).toBe(1);
    expect(refused.stderr).toBe(
      'ERROR:  0A000: this port answers score() only, not SQL\n' +
        'HINT:  Connect to the database itself, and call score() there.\n',
    );
  });

  test('is refused with a wrong password and as another user', async () => {
    expect((await psql(where, ['ping'], 'wrong')).stderr).toContain(
      'password authentication failed for user "pgscore"',
    );
    expect((await psql(where.replace('user=pgscore', 'user=root'), ['ping'])).stderr).toContain(
      'password authentication failed for user "root"',
    );
  });

  test.each(['disable', 'allow', 'prefer'])('connects with sslmode=%s, and not with require', async (mode) => {
    expect(await psql(`${where} sslmode=${mode}`, ['ping'])).toMatchObject({ exit: 0, stdout: 'ok\n' });
    expect((await psql(`${where} sslmode=require`, ['ping'])).stderr).toContain('does not support SSL');
  });

  test('asks for nothing itself that would fail', async () => {
    expect(await psql(where, ['\\encoding', '\\conninfo', 'ping'])).toMatchObject({ exit: 0, stderr: '' });
  });
});

describe('the client of npm', () => {
  test('pings and scores, and goes on after an error', async () => {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'pgscore', password: 'secret', database: 'any' });
    await client.connect();
    expect((await client.query('ping')).rows).toEqual([{ ping: 'ok' }]);
    const { rows, command, rowCount } = await client.query(scoreQuery([{ x: 0.5 }]));
    expect({ rows, command }).toEqual({ rows: [{ score: 0.5, label: null, probabilities: null }], command: 'SCORE' });
    expect(rowCount).toBe(1);
    await expect(client.query('select $1', [1])).rejects.toMatchObject({ code: '0A000' });
    expect((await client.query('ping')).rows).toEqual([{ ping: 'ok' }]);
    await client.end();
  });
});

test('none of this was a defect', () => {
  expect(defects).toEqual([]);
});
