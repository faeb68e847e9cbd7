import { beforeAll, expect, test } from '@jest/globals';
import { nextFire } from '../../src/schedules/clock.ts';
import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');

beforeAll(async () => {
  await addReadyModel(superuser, 'risk');
  await alice.query('create table customers (id bigint primary key, branch text not null, x real)');
});

test('every argument can be named, with a key of one column or of several', async () => {
  const named = `name => 'one', cron => '0 2 * * *', model => 'risk', source => 'customers', target => 'scores', target_schema => 'alice', key => 'id',
    event_time => null, column_map => '{"x": "x"}', publish => null, rls => 'error', error_limit => 10, time_zone => 'Europe/Berlin', overlap => 'queue', catch_up => 'all'`;
  const one = `select pgscore.schedule(${named}) as name`;
  expect((await alice.query(one)).rows).toEqual([{ name: 'one' }]);
  const several = `select pgscore.schedule(${named
    .replace("'one'", "'several'")
    .replace("'scores'", "'branch_scores'")
    .replace("key => 'id'", "key => array['branch', 'id']")})`;
  await alice.query(several);
  const { rows } = await alice.query(
    'select name, cron, time_zone, model, source, target, state, overlap, catch_up from pgscore.schedules order by name',
  );
  expect(rows[0]).toEqual({
    name: 'one',
    cron: '0 2 * * *',
    time_zone: 'Europe/Berlin',
    model: 'risk',
    source: 'alice.customers',
    target: 'alice.scores',
    state: 'active',
    overlap: 'queue',
    catch_up: 'all',
  });
  const { rows: arguments_ } = await superuser.query(
    "select name, arguments -> 'key' as key, arguments -> 'error_limit' as error_limit from pgscore_data.schedule order by name",
  );
  expect(arguments_).toEqual([
    { name: 'one', key: ['id'], error_limit: 10 },
    { name: 'several', key: ['branch', 'id'], error_limit: 10 },
  ]);
});

test('a fifth argument without a name is the target', async () => {
  await alice.query("select pgscore.schedule('positional', '@daily', 'risk', 'customers', 'positional_scores')");
  const { rows } = await alice.query("select target from pgscore.schedules where name = 'positional'");
  expect(rows).toEqual([{ target: 'alice.positional_scores' }]);
});

test('a name is taken once', async () => {
  const make = "select pgscore.schedule('taken', '@daily', 'risk', 'customers')";
  await alice.query(make);
  await expect(alice.query(make)).rejects.toMatchObject({
    message: 'schedule "taken" already exists',
    code: '42710',
    hint: expect.stringContaining(`select pgscore.unschedule('taken');`),
  });
  const anew = `begin; select pgscore.unschedule('taken'); select pgscore.schedule('taken', '@hourly', 'risk', 'customers'); commit`;
  await alice.query(anew);
  const { rows } = await alice.query(`select cron from pgscore.schedules where name = 'taken'`);
  expect(rows).toEqual([{ cron: '@hourly' }]);
});

test.each([
  ['* * * *', "cron => '* * * *' is not a cron expression"],
  ['* * * * * *', "cron => '* * * * * *' is not a cron expression"],
  ['every night', "cron => 'every night' is not a cron expression"],
  ['H * * * *', "cron => 'H * * * *' is not a cron expression"],
  ['@reboot', "cron => '@reboot' is not a cron expression"],
  ["0 0 * * *'; drop table x", 'is not a cron expression'],
  ['60 * * * *', "cron => '60 * * * *' has 60 as its minute"],
  ['0 0-24 * * *', "cron => '0 0-24 * * *' has 24 as its hour"],
  ['0 0 0 * *', "cron => '0 0 0 * *' has 0 as its day of month"],
  ['0 0 * 1,13 *', "cron => '0 0 * 1,13 *' has 13 as its month"],
  ['0 0 * * 8', "cron => '0 0 * * 8' has 8 as its day of week"],
  ['0 0 30 2 *', "cron => '0 0 30 2 *' never fires: no month that it names has a day 30"],
  ['0 0 31 apr,JUN ?', 'never fires: no month that it names has a day 31'],
  ['0 0 * * fri-mon', "cron => '0 0 * * fri-mon' has the range fri-mon, which goes backwards"],
  ['0 0 l * *', "cron => '0 0 l * *' has the field 'l'"],
  ['0 0 * * sun,6-7', "cron => '0 0 * * sun,6-7' has 0 twice as its day of week"],
  ['0 0 1-2-3 * *', "has the field '1-2-3'"],
  ['0 0 99999999999999999999 * *', 'has 99999999999999999999 as its day of month'],
])('cron %s is refused at once', async (cron, message) => {
  await expect(alice.query("select pgscore.schedule('bad', $1, 'risk', 'customers')", [cron])).rejects.toMatchObject({
    message: expect.stringContaining(message),
    code: '22023',
  });
});

test.each([
  '0 2 * * *',
  ' 0 2 * * * ',
  '*/15 * * * *',
  '0 0 * JAN-MAR mon,FRI',
  '5/10 8-18/2 1,15 * 1-5',
  '0 0 L * *',
  '0 0 * * 5L',
  '0 0 * * 5#2',
  '0 0 ? * 7',
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@daily',
  '@hourly',
])('cron %s is taken, by the service too', async (cron) => {
  await alice.query('select pgscore._check_cron($1)', [cron]);
  expect(nextFire(cron, 'UTC', new Date('2025-01-01')).getTime()).toBeGreaterThan(Date.parse('2025-01-01'));
});

test.each([
  ["time_zone => 'Europe/Atlantis'", "time_zone => 'Europe/Atlantis' is not known"],
  ['time_zone => null', 'time_zone => NULL is not known'],
  ["overlap => 'wait'", "overlap => 'wait' is not known"],
  ["catch_up => 'some'", "catch_up => 'some' is not known"],
  ["rls => 'ignore'", "rls => 'ignore' is not known"],
  ['error_limit => -1', 'error_limit => -1 is negative'],
  ["key => 'nothing'", 'key column "nothing" does not exist in alice.customers'],
])('%s is refused at once', async (option, message) => {
  const make = `select pgscore.schedule('bad', '@daily', 'risk', 'customers', ${option})`;
  await expect(alice.query(make)).rejects.toThrow(message);
  expect((await alice.query("select from pgscore.schedules where name = 'bad'")).rows).toEqual([]);
});

test('every time zone of the server is one of the service, or is refused', async () => {
  const { rows } = await alice.query<{ name: string }>(
    "select name from pg_timezone_names where name !~ '^(posix/|right/|posixrules$|localtime$|Factory$)'",
  );
  const unknown = rows.filter(({ name }) => {
    try {
      return Number.isNaN(nextFire('0 2 * * *', name, new Date('2025-01-01')).getTime());
    } catch {
      return true;
    }
  });
  expect(unknown).toEqual([]);
});

test('the objects of schedules have comments', async () => {
  const { rows } = await superuser.query(
    `select p.oid::regprocedure::text as name from pg_proc p
      where p.pronamespace in ('pgscore'::regnamespace, 'pgscore_data'::regnamespace) and p.proname ~ '(schedule|fire|cron)' and obj_description(p.oid, 'pg_proc') is null
     union all
     select c.oid::regclass || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
      where c.oid in ('pgscore.schedules'::regclass, 'pgscore.schedule_history'::regclass) and col_description(c.oid, a.attnum) is null`,
  );
  expect(rows).toEqual([]);
});
