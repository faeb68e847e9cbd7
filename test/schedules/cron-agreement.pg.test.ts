import { expect, test } from '@jest/globals';
import { DatabaseError } from 'pg';
import { PgscoreError } from '../../src/errors.ts';
import { nextFire } from '../../src/schedules/clock.ts';
import { cloneDatabase } from '../support/database.ts';

const alice = await (await cloneDatabase()).client('alice');

/** Of any of the five. */
const FIELDS =
  '* ? 1 1-3 3-1 1,3 1- -1 1-2-3 *-3 1* */2 */0 2/2 1-3/2 /2 1/2/3 1/ 1, ,1 1,* 1,*/2 01 1/01 1/99999999999999999999 1#2 L l 3L L,L 5L,5L';
const WEEKDAYS = '8 5#6 5#0 5#2 1,5#2 5#2,1 5L 1,5L 1-5L 8L L #2 0-7 0,7 5-7,6 5-7/3,0 fri-mon fri-sun sat,SUN feb';
const MONTHS = 'jan dec-jan jan,mar-may mon 1L jan/3 JAN-DEC/5';
/** Days and months that may not go together, where the weekday does not help. */
const LATE_DAYS = '* ? 29 30 31 30,31 29,31 30-31 31/5 30/1 28-31/3 */31 L 31,L';
const SHORT_MONTHS = '* 2 feb 2,4 4,6 FEB-APR 2-12/12 2/12 2/3 */2 4/2 2,* 2,2';
const NO_HELP = '* ? mon */1';

const expressions = [
  ...words(FIELDS).flatMap((field) => [0, 1, 2, 3, 4].map((at) => ['0', '0', '*', '*', '*'].with(at, field).join(' '))),
  ...words(WEEKDAYS).map((weekday) => `0 0 * * ${weekday}`),
  ...words(MONTHS).map((month) => `0 0 1 ${month} *`),
  ...words(LATE_DAYS).flatMap((day) =>
    words(SHORT_MONTHS).flatMap((month) => words(NO_HELP).map((weekday) => `0 0 ${day} ${month} ${weekday}`)),
  ),
  `0 0 ${Array.from({ length: 31 }, (_, day) => String(day + 1)).join(',')} * *`,
  `${'0,'.repeat(600)}0 0 * * *`,
];

function words(list: string): string[] {
  return list.split(' ');
}

/** Whether schedule() takes an expression. */
async function isTaken(cron: string): Promise<boolean> {
  try {
    await alice.query('select pgscore._check_cron($1)', [cron]);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(DatabaseError);
    expect(error).toMatchObject({ code: '22023', hint: expect.any(String) });
    return false;
  }
}

/** Whether the service finds a time to fire at. */
function fires(cron: string): boolean {
  try {
    return nextFire(cron, 'UTC', new Date('2025-01-01')).getTime() > 0;
  } catch (error) {
    expect(error).toBeInstanceOf(PgscoreError);
    return false;
  }
}

test('schedule() takes what the service can fire, and refuses what it cannot', async () => {
  const disagreed: string[] = [];
  for (const cron of expressions) {
    const [taken, fired] = [await isTaken(cron), fires(cron)];
    if (taken !== fired)
      disagreed.push(`${cron}: ${taken ? 'taken' : 'refused'} at once, and ${fired ? 'fires' : 'never fires'}`);
  }
  expect(disagreed).toEqual([]);
});
