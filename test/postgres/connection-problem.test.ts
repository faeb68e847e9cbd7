import { expect, test } from '@jest/globals';

import { connectionProblem } from '../../src/postgres/connection-problem.ts';

const URL_WITH_PASSWORD = 'postgresql://ana:secret@db.example:5432/shop';

const ECONNREFUSED = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

test('no password goes into the message', () => {
  const { message } = connectionProblem(ECONNREFUSED, URL_WITH_PASSWORD);
  expect(message).toBe('cannot reach postgresql://ana@db.example:5432/shop: connect ECONNREFUSED');
});

test('a password that is missing is refused, not unreachable', () => {
  const error = new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string');
  expect(connectionProblem(error, 'postgresql://ana@db.example/shop')).toMatchObject({
    code: 'database_refused',
    message: 'postgresql://ana@db.example/shop refused the connection: it asks for a password, and none was given',
    remedy: expect.stringContaining('password file'),
  });
});

test('a pooler is called so, and not tried again', () => {
  const reason = 'unsupported startup parameter: options';
  const problem = connectionProblem(Object.assign(new Error(reason), { code: '08P01', severity: 'FATAL' }), undefined);
  expect(problem).toMatchObject({ code: 'database_refused', retry: false, remedy: expect.stringContaining('itself') });
  expect(problem.message).toBe(`the database of the PG* variables is a connection pooler: ${reason}`);
});

test.each([undefined, 'postgresql://pgscore_reader@/'])(
  'a database that the PG* variables name is called so (%s)',
  (url) => {
    expect(connectionProblem(new Error('connect ECONNREFUSED'), url).message).toMatch(
      /the database of the PG\* variables/,
    );
  },
);

test('what only a person can put right is refused, not unreachable, so that nobody waits for it', () => {
  const certificate = Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  expect(connectionProblem(certificate, URL_WITH_PASSWORD)).toMatchObject({
    code: 'database_refused',
    retry: false,
    remedy: expect.stringContaining('sslrootcert'),
  });
  expect(connectionProblem(ECONNREFUSED, URL_WITH_PASSWORD)).toMatchObject({
    code: 'database_unreachable',
    retry: true,
  });
});
