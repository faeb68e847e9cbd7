import { describe, expect, test } from '@jest/globals';
import { statement } from '../../src/postgres/statement.ts';
import { connect } from '../../src/postgres/connect.ts';
import { begin, commit, Step, together } from '../../src/postgres/pipeline.ts';
import { emptyDatabase } from '../support/database.ts';

const database = await emptyDatabase();

const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from([0xff, 0xff]);
/** One field, an int4. */
const seven = Buffer.from([0, 1, 0, 0, 0, 4, 0, 0, 0, 7]);

const double = statement<[value: number], { doubled: number }>('double', 'select $1::int * 2 as doubled');

describe('statements in one trip', () => {
  test('run in order, and each has its own rows', async () => {
    const client = await database.client();
    const first = double.step(4);
    const none = new Step({ text: 'select where false' });
    const second = double.step(5);
    await together(client, [first, none, second]);
    expect([first.rows, none.rows, second.rows]).toEqual([[{ doubled: 8 }], [], [{ doubled: 10 }]]);
    expect(await double(client, 6)).toEqual([{ doubled: 12 }]);
  });

  test('take data along for a COPY', async () => {
    const client = await database.client();
    const seen = new Step<{ n: number }>({ text: 'select n from copied' });
    await together(client, [
      begin(),
      new Step({ text: 'create table copied (n int)' }),
      new Step({ text: 'copy copied from stdin (format binary)' }, [HEADER, seven, seven, TRAILER]),
      seen,
      commit(),
    ]);
    expect(seen.rows).toEqual([{ n: 7 }, { n: 7 }]);
  });

  test('end with the first that fails, data included, and change nothing', async () => {
    const client = await database.client();
    const trip = together(client, [
      begin(),
      new Step({ text: 'create table never (n int)' }),
      new Step({ text: 'select 1 / $1::int', values: [0] }),
      new Step({ text: 'copy never from stdin (format binary)' }, [HEADER, seven, TRAILER]),
      commit(),
    ]);
    await expect(trip).rejects.toMatchObject({ code: '22012' });
    await client.query('rollback');
    const { rows } = await client.query("select to_regclass('never') as never");
    expect(rows).toEqual([{ never: null }]);
  });

  test('leave the connection as it was where one failed, prepared statements included', async () => {
    const client = await database.client();
    const fails = new Step({ name: 'fails', text: 'select 1 / $1::int', values: [0] });
    await expect(together(client, [fails, double.step(1)])).rejects.toMatchObject({ code: '22012' });
    const works = new Step<{ '?column?': number }>({ name: 'fails', text: 'select 1 / $1::int', values: [1] });
    const after = double.step(2);
    await together(client, [works, after]);
    expect([works.rows, after.rows]).toEqual([[{ '?column?': 1 }], [{ doubled: 4 }]]);
  });

  test('prepare anew what a name stands for where its text is another, and after one that cannot be prepared', async () => {
    const client = await database.client();
    const named = (text: string) => new Step<{ n: number }>({ name: 'named', text });
    const [one, two, again] = [named('select 1 as n'), named('select 2 as n'), named('select 1 as n')];
    await together(client, [one, two]);
    await expect(together(client, [named('select n from nowhere')])).rejects.toMatchObject({ code: '42P01' });
    await together(client, [again]);
    expect([one.rows, two.rows, again.rows]).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 1 }]]);
    const { rows } = await client.query("select statement from pg_prepared_statements where name = 'named'");
    expect(rows).toEqual([{ statement: 'select 1 as n' }]);
  });

  test('may be empty, or a COPY of nothing', async () => {
    const client = await database.client();
    const seen = new Step<{ n: string }>({ text: 'select count(*) as n from nothing' });
    await together(client, [
      new Step({ text: '' }),
      new Step({ text: 'create temp table nothing (n int)' }),
      new Step({ text: 'copy nothing from stdin' }, []),
      seen,
    ]);
    expect(seen.rows).toEqual([{ n: '0' }]);
  });

  test('read a date as the day that it is', async () => {
    const client = await connect({ url: database.url(), applicationName: 'test' });
    const day = new Step<{ day: unknown }>({ text: "select date '2013-07-04' as day" });
    await together(client, [day]);
    await client.end();
    expect(day.rows).toEqual([{ day: '2013-07-04' }]);
  });

  test('fail where their COPY is refused', async () => {
    const client = await database.client();
    await client.query('create table strict (n int check (n < 7))');
    const trip = together(client, [
      new Step({ text: 'copy strict from stdin (format binary)' }, [HEADER, seven, TRAILER]),
      new Step({ text: 'create table never (n int)' }),
    ]);
    await expect(trip).rejects.toMatchObject({ code: '23514' });
    const { rows } = await client.query("select to_regclass('never') as never");
    expect(rows).toEqual([{ never: null }]);
  });

  test('fail with the connection', async () => {
    const client = await database.client();
    const trip = together(client, [new Step({ text: 'select pg_terminate_backend(pg_backend_pid())' })]);
    await expect(trip).rejects.toThrow();
  });
});
