import { expect, test } from '@jest/globals';
import { DatabaseError } from 'pg';

import { failureJson, failureOf, failureText } from '../../src/commands/failure.ts';
import { PgscoreError } from '../../src/errors.ts';

function raisedByPostgres(fields: Partial<DatabaseError>): DatabaseError {
  return Object.assign(new DatabaseError('model "churn" does not exist', 0, 'error'), { severity: 'ERROR', ...fields });
}

test('an error of pgscore is said with its remedy, its code and its exit status', () => {
  const failure = failureOf(
    new PgscoreError('not_installed', 'database "d" has no pgscore', { remedy: 'pgscore migrate' }),
  );
  expect(failureText(failure)).toBe('pgscore: database "d" has no pgscore\n  pgscore migrate\n  [not_installed]');
  expect(failure.exit).toBe(4);
});

test('an error of PostgreSQL is said like our own, with its SQLSTATE', () => {
  const failure = failureOf(raisedByPostgres({ code: '42704', detail: 'Two\nlines.', hint: 'Deploy it.' }));
  expect(failureText(failure)).toBe(
    'pgscore: model "churn" does not exist\n  Two\n  lines.\n  Deploy it.\n  [statement_failed, SQLSTATE 42704]',
  );
  expect(failure.exit).toBe(1);
});

test.each([
  ['permission denied for function deploy', 'pgscore_deployer'],
  ['permission denied for schema pgscore_bi', 'pgscore_analyst'],
  ['permission denied for view audit', 'pgscore_deployer'],
  ['permission denied for schema crm', 'USAGE on a schema'],
  ['permission denied for table customers', 'SELECT on what is read'],
  ['permission denied for view customers', 'SELECT on what is read'],
])('%s without a hint comes with what to grant', (message, remedy) => {
  expect(failureOf(raisedByPostgres({ code: '42501', message })).remedy).toContain(remedy);
});

test.each([
  ['42P01', 'relation "customers" does not exist'],
  ['42602', 'invalid name syntax'],
])('SQLSTATE %s, as of a name with capitals, comes with how to write one', (code, message) => {
  expect(failureOf(raisedByPostgres({ code, message })).remedy).toMatch(/as SQL does: .*"/);
});

test('a broken connection is the database’s failure, not a defect', () => {
  const failure = failureOf(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
  expect(failure).toMatchObject({ code: 'database_unreachable', exit: 3 });
});

test('a stranger’s error is a defect, with the place it came from', () => {
  const failure = failureOf(new TypeError('x is not a function'));
  expect(failure).toMatchObject({ code: 'internal', exit: 70 });
  expect(failureText(failure)).toContain('failure.test.ts');
});

test('for programs it is one JSON object on one line', () => {
  const text = failureJson(failureOf(new PgscoreError('usage', 'two\nlines', { remedy: 'One.' })));
  expect(text).not.toContain('\n');
  expect(JSON.parse(text)).toEqual({ error: { code: 'usage', message: 'two\nlines', remedy: 'One.', exit: 2 } });
});

test('what stands in a message cannot steer the terminal', () => {
  expect(failureText(failureOf(new PgscoreError('usage', '\u001b[31mred')))).toContain('\\x1b[31mred');
});
