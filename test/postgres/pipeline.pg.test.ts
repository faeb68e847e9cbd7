import { describe, expect, test } from '@jest/globals';
import { statement } from '../../src/postgres/statement.ts';
import { connect } from '../../src/postgres/connect.ts';
import { begin, commit, PipelinedStatement, runPipeline } from '../../src/postgres/pipeline.ts';
import { emptyDatabase } from '../support/database.ts';

const database = await emptyDatabase();

const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from([0xff, 0xff]);
/** One field, an int4. */
const seven = Buffer.from([0, 1, 0, 0, 0, 4, 0, 0, 0, 7]);

const double = statement<[value: number], { doubled: number }>('double', 'select $1::int * 2 as doubled');

describe('statements in one pipeline', () => {
  test('run in order, and each has its own rows', async () => {
    const client = await database.client();
    const first = double.pipelined(4);
    const none = new PipelinedStatement({ text: 'select where false' });
    const second = double.pipelined(5);
    await runPipeline(client, [first, none, second]);
    expect([first.rows, none.rows, second.rows]).toEqual([[{ doubled: 8 }], [], [{ doubled: 10 }]]);
    expect(await double(client, 6)).toEqual([{ doubled: 12 }]);
  });

  test('take data along for a COPY', async () => {
    const client = await database.client();
    const seen = new PipelinedStatement<{ n: number }>({ text: 'select n from copied' });
    await runPipeline(client, [
      begin(),
      new PipelinedStatement({ text: 'create table copied (n int)' }),
      new PipelinedStatement({ text: 'copy copied from stdin (format binary)' }, [HEADER, seven, seven, TRAILER]),
      seen,
      commit(),
    ]);
    expect(seen.rows).toEqual([{ n: 7 }, { n: 7 }]);
  });

  test('end with the first that fails, data included, and change nothing', async () => {
    const client = await database.client();
    const pipeline = runPipeline(client, [
      begin(),
      new PipelinedStatement({ text: 'create table never (n int)' }),
      new PipelinedStatement({ text: 'select 1 / $1::int', values: [0] }),
      new PipelinedStatement({ text: 'copy never from stdin (format binary)' }, [HEADER, seven, TRAILER]),
      commit(),
    ]);
    await expect(pipeline).rejects.toMatchObject({ code: '22012' });
    await client.query('rollback');
    const { rows } = await client.query("select to_regclass('never') as never");
    expect(rows).toEqual([{ never: null }]);
  });

  test('leave the connection as it was where one failed, prepared statements included', async () => {
    const client = await database.client();
    const fails = new PipelinedStatement({ name: 'fails', text: 'select 1 / $1::int', values: [0] });
    await expect(runPipeline(client, [fails, double.pipelined(1)])).rejects.toMatchObject({ code: '22012' });
    const works = new PipelinedStatement<{ '?column?': number }>({
      name: 'fails',
      text: 'select 1 / $1::int',
      values: [1],
    });
    const after = double.pipelined(2);
    await runPipeline(client, [works, after]);
    expect([works.rows, after.rows]).toEqual([[{ '?column?': 1 }], [{ doubled: 4 }]]);
  });

  test('prepare anew what a name stands for where its text is another, and after one that cannot be prepared', async () => {
    const client = await database.client();
    const named = (text: string) => new PipelinedStatement<{ n: number }>({ name: 'named', text });
    const [one, two, again] = [named('select 1 as n'), named('select 2 as n'), named('select 1 as n')];
    await runPipeline(client, [one, two]);
    await expect(runPipeline(client, [named('select n from nowhere')])).rejects.toMatchObject({ code: '42P01' });
    await runPipeline(client, [again]);
    expect([one.rows, two.rows, again.rows]).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 1 }]]);
    const { rows } = await client.query("select statement from pg_prepared_statements where name = 'named'");
    expect(rows).toEqual([{ statement: 'select 1 as n' }]);
  });

  test('may be empty, or a COPY of nothing', async () => {
    const client = await database.client();
    const seen = new PipelinedStatement<{ n: string }>({ text: 'select count(*) as n from nothing' });
    await runPipeline(client, [
      new PipelinedStatement({ text: '' }),
      new PipelinedStatement({ text: 'create temp table nothing (n int)' }),
      new PipelinedStatement({ text: 'copy nothing from stdin' }, []),
      seen,
    ]);
    expect(seen.rows).toEqual([{ n: '0' }]);
  });

  test('read a date as the day that it is', async () => {
    const client = await connect({ url: database.url(), applicationName: 'test' });
    const day = new PipelinedStatement<{ day: unknown }>({ text: "select date '2013-07-04' as day" });
    await runPipeline(client, [day]);
    await client.end();
    expect(day.rows).toEqual([{ day: '2013-07-04' }]);
  });

  test('fail where their COPY is refused', async () => {
    const client = await database.client();
    await client.query('create table strict (n int check (n < 7))');
    const pipeline = runPipeline(client, [
      new PipelinedStatement({ text: 'copy strict from stdin (format binary)' }, [HEADER, seven, TRAILER]),
      new PipelinedStatement({ text: 'create table never (n int)' }),
    ]);
    await expect(pipeline).rejects.toMatchObject({ code: '23514' });
    const { rows } = await client.query("select to_regclass('never') as never");
    expect(rows).toEqual([{ never: null }]);
  });

  test('fail with the connection', async () => {
    const client = await database.client();
    const pipeline = runPipeline(client, [
      new PipelinedStatement({ text: 'select pg_terminate_backend(pg_backend_pid())' }),
    ]);
    await expect(pipeline).rejects.toThrow();
  });
});
