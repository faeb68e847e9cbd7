import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { readBatches, type ReadOptions } from '../../src/copy/read.ts';
import { PipelinedStatement } from '../../src/postgres/pipeline.ts';
import { feature, key } from '../support/copy-stream.ts';
import { emptyDatabase } from '../support/database.ts';
import { waitFor } from '../support/wait-for.ts';

const ROWS = 100_000;
const COLUMNS = [key('id'), feature('x', 'float4'), feature('t', 'text')];
const COPY = 'copy numbered to stdout (format binary)';

const database = await emptyDatabase();
let observer: Client;

beforeAll(async () => {
  observer = await database.client();
  await observer.query(`
    create table numbered as select id::int8, id::real as x, repeat('x', 100) as t from generate_series(1, 100000) id;
    create function shout(int8) returns int8 language plpgsql as $$ begin raise notice 'row %', $1; return $1; end $$`);
});

async function backendOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]!.pid;
}

async function backendGone(pid: number): Promise<void> {
  await waitFor(
    async () => {
      const { rowCount } = await observer.query('select from pg_stat_activity where pid = $1', [pid]);
      return rowCount === 0;
    },
    { message: 'the backend to end' },
  );
}

async function count(client: Client, copySql: string, options?: ReadOptions): Promise<number> {
  let rows = 0;
  for await (const batch of readBatches(client, copySql, COLUMNS, options)) rows += batch.rows;
  return rows;
}

async function works(client: Client): Promise<unknown> {
  const { rows } = await client.query('select 1 as one');
  return rows;
}

describe('a connection that has read a COPY', () => {
  test('takes the next query', async () => {
    const client = await database.client();
    expect(await count(client, COPY, { rows: 1000 })).toBe(ROWS);
    expect(await works(client)).toEqual([{ one: 1 }]);
    expect(await count(client, 'copy (select * from numbered limit 0) to stdout (format binary)')).toBe(0);
    expect(await count(client, 'copy (select * from numbered limit 1) to stdout (format binary)')).toBe(1);
    expect(await works(client)).toEqual([{ one: 1 }]);
  });

  test('takes it after an error of the server too, at the start or in the middle', async () => {
    const client = await database.client();
    await expect(count(client, 'copy no_such_table to stdout (format binary)')).rejects.toMatchObject({
      code: '42P01',
    });
    await expect(
      count(client, 'copy (select 1 / (id - 90000), x, t from numbered) to stdout (format binary)', { rows: 100 }),
    ).rejects.toMatchObject({ code: '22012', message: 'division by zero' });
    expect(await works(client)).toEqual([{ one: 1 }]);
  });

  test('has seen the notices that came meanwhile', async () => {
    const client = await database.client();
    const notices: (string | undefined)[] = [];
    client.on('notice', ({ message }) => notices.push(message));
    await client.query('set client_min_messages to notice');
    const copy = 'copy (select shout(id), x, t from numbered where id <= 500) to stdout (format binary)';
    expect(await count(client, copy, { rows: 100 })).toBe(500);
    expect(notices).toHaveLength(500);
    expect(notices.at(-1)).toBe('row 500');
  });
});

describe('a COPY ends its connection', () => {
  test('where the consumer leaves it early', async () => {
    const client = await database.client();
    const pid = await backendOf(client);
    for await (const batch of readBatches(client, COPY, COLUMNS, { rows: 100 })) {
      expect(batch.rows).toBe(100);
      break;
    }
    await backendGone(pid);
    await expect(works(client)).rejects.toThrow('Client was closed');
  });

  test('where it read all rows, but the statement after them failed', async () => {
    const client = await database.client();
    const pid = await backendOf(client);
    const after = [new PipelinedStatement({ text: 'select 1 / 0' })];
    expect(await count(client, COPY, { after })).toBe(ROWS);
    await backendGone(pid);
  });

  test('where the consumer fails', async () => {
    const client = await database.client();
    const pid = await backendOf(client);
    const consume = async () => {
      for await (const _ of readBatches(client, COPY, COLUMNS, { rows: 100 })) throw new Error('no more');
    };
    await expect(consume()).rejects.toThrow('no more');
    await backendGone(pid);
  });

  test('where its columns are not those asked for', async () => {
    const client = await database.client();
    const pid = await backendOf(client);
    await expect(count(client, 'copy (select id, x from numbered) to stdout (format binary)')).rejects.toMatchObject({
      code: 'copy_protocol',
    });
    await backendGone(pid);
  });

  test('where it comes as text', async () => {
    const client = await database.client();
    await expect(count(client, 'copy numbered to stdout')).rejects.toMatchObject({ code: 'copy_protocol' });
  });

  test('where it is cancelled while the server computes', async () => {
    const client = await database.client();
    const pid = await backendOf(client);
    const stop = new AbortController();
    const counting = count(client, 'copy (select id, x, t from numbered, pg_sleep(60)) to stdout (format binary)', {
      signal: stop.signal,
    });
    await waitFor(async () => {
      const { rows } = await observer.query('select wait_event from pg_stat_activity where pid = $1', [pid]);
      return rows[0]?.wait_event === 'PgSleep';
    });
    stop.abort(new Error('run cancelled'));
    await expect(counting).rejects.toThrow('run cancelled');
    await observer.query('select pg_terminate_backend($1)', [pid]);
    await expect(works(client)).rejects.toThrow('Client was closed');
  });

  test('where it is cancelled before it began, behind another query', async () => {
    const client = await database.client();
    const stop = new AbortController();
    const sleeping = expect(client.query('select pg_sleep(60)')).rejects.toThrow('Connection terminated');
    const counting = count(client, COPY, { signal: stop.signal });
    stop.abort(new Error('run cancelled'));
    await expect(counting).rejects.toThrow('run cancelled');
    await sleeping;
  });

  test('and is not asked for where it is cancelled already', async () => {
    const client = await database.client();
    await expect(count(client, COPY, { signal: AbortSignal.abort(new Error('run cancelled')) })).rejects.toThrow(
      'run cancelled',
    );
    expect(await works(client)).toEqual([{ one: 1 }]);
  });
});

describe('a lost connection is told, never waited for', () => {
  async function cutAfterOneBatch(cut: (pid: number, client: Client) => unknown): Promise<number> {
    const client = await database.client();
    const pid = await backendOf(client);
    let rows = 0;
    for await (const batch of readBatches(client, COPY, COLUMNS, { rows: 100 })) {
      if (rows === 0) await cut(pid, client);
      rows += batch.rows;
    }
    return rows;
  }

  test('terminated by an administrator', async () => {
    await expect(
      cutAfterOneBatch(async (pid) => {
        await observer.query('select pg_terminate_backend($1)', [pid]);
        await backendGone(pid);
      }),
    ).rejects.toThrow(/terminat/);
  });

  test('ended by us', async () => {
    await expect(cutAfterOneBatch((_, client) => client.end())).rejects.toThrow('Connection terminated');
  });

  test('before the first row', async () => {
    const client = await database.client();
    await client.end();
    await expect(count(client, COPY)).rejects.toThrow('Client was closed');
  });
});

test('a slow consumer holds the server back instead of the rows', async () => {
  const client = await database.client();
  const pid = await backendOf(client);
  const copy = `copy (select n.id, n.x, repeat(n.t, 10) from numbered n) to stdout (format binary)`;
  const before = process.memoryUsage().rss;
  let [bytes, most, held, batches] = [0, 0, 0, 0];
  for await (const { batch } of readBatches(client, copy, COLUMNS, { rows: 1000 })) {
    bytes += batch.getChild('t')!.data[0]!.values.length;
    batches += 1;
    if (batches % 10 === 1) {
      await waitFor(async () => {
        const { rows } = await observer.query('select wait_event from pg_stat_activity where pid = $1', [pid]);
        return batches > 90 || rows[0]?.wait_event === 'ClientWrite';
      });
      held += 1;
    }
    most = Math.max(most, process.memoryUsage().rss);
  }
  expect(bytes).toBe(100_000_000);
  expect(held).toBe(10);
  expect(most - before).toBeLessThan(80 * 1024 * 1024);
});
