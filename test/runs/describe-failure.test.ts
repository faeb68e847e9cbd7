import { expect, test } from '@jest/globals';

import type { Run } from '../../src/runs/run.ts';
import { failureOf } from '../../src/runs/describe-failure.ts';

const RUN = { sourceSchema: 'flights', sourceName: 'leads', requestedBy: 'alice', keyLists: null } as Run;
const OF_WATCH: Run = { ...RUN, keyLists: ['{1}'] };

const raised = (code: string, message: string, detail?: string) =>
  Object.assign(new Error(message), { code, severity: 'ERROR', detail });

test('a connection that broke may be tried again, and says what to do when it stays broken', () => {
  expect(failureOf(new Error('Connection terminated unexpectedly'), RUN)).toEqual({
    code: 'database_lost',
    message: 'the database broke off: Connection terminated unexpectedly',
    remedy: 'Submit the run again when the database is well.',
    retry: true,
  });
});

test('two rows of one key are named by their key', () => {
  const failure = failureOf(raised('23505', 'duplicate key value', 'Key (id)=(1) already exists.'), RUN);
  expect(failure).toMatchObject({ code: 'duplicate_key', retry: false });
  expect(failure.message).toBe(
    'two rows of "flights.leads" have the same key: duplicate key value (Key (id)=(1) already exists.)',
  );
});

test('a row without a key does not show the prediction that was to be stored', () => {
  const detail = 'Failing row contains (1, null, null, 0.02, 0, 0.98, 0.02, null, 11).';
  const failure = failureOf(raised('23502', 'null value in column "id"', detail), RUN);
  expect(failure.code).toBe('null_key');
  expect(failure.message).not.toContain('0.98');
});

test('an error of a view of the source is named with its SQLSTATE, and not tried again', () => {
  expect(failureOf(raised('22012', 'division by zero'), RUN)).toMatchObject({
    code: 'source_error',
    message: 'reading "flights.leads" failed: division by zero (SQLSTATE 22012)',
    retry: false,
  });
});

test.each([
  ['an error of a view', raised('22012', 'division by zero')],
  ['a source that changed', raised('42703', 'column "x" does not exist')],
  ['a connection that broke', new Error('Connection terminated unexpectedly')],
  ['a right that is missing', raised('42501', 'permission denied')],
])('%s advises nobody to submit a run of a watch', (_what, error) => {
  const { remedy } = failureOf(error, OF_WATCH);
  expect(remedy).toMatch(/watch/);
  expect(remedy).not.toMatch(/submit/i);
});
