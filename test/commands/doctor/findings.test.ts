import { expect, test } from '@jest/globals';

import { findingsText } from '../../../src/commands/doctor.ts';
import { fail, ok, checkNode } from '../../../src/commands/doctor/machine.ts';
import { checkVersion } from '../../../src/commands/doctor/server.ts';

test.each([
  [140_020, 'fail', '14.20 is too old'],
  [150_005, 'warn', '15.5 is older than the tested'],
  [180_004, 'ok', '18.4'],
  [180_009, 'ok', '18.9'],
  [190_000, 'warn', '19.0 is newer than what was tested'],
])('PostgreSQL %i: %s', (number, status, detail) => {
  expect(checkVersion(number)).toMatchObject({ status, detail: expect.stringContaining(detail) });
});

test.each([
  ['18.20.1', 'fail'],
  ['20.18.0', 'fail'],
  ['20.19.0', 'ok'],
  ['24.1.0', 'ok'],
])('Node.js %s: %s', (version, status) => {
  expect(checkNode(version).status).toBe(status);
});

test('each finding has its line, and its remedy beneath', () => {
  const text = findingsText([ok('PostgreSQL', '18.4'), fail('roles', 'none of them', 'pgscore migrate')]);
  expect(text.split('\n')).toEqual([
    'ok    PostgreSQL  18.4',
    'fail  roles       none of them',
    '                  pgscore migrate',
  ]);
});
