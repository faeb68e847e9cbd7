import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import { from } from 'pg-copy-streams';

import type { Random } from '../../../src/lib/random.ts';
import { pause } from '../../../src/lib/retry.ts';
import { pick } from '../../support/pick.ts';
import { MOST_ID, TABLES, type WrittenTable } from './sources.ts';

/** A random value of a column, as SQL and COPY both read it; rows often get the value that they have. */
function valueOf(column: string, random: Random): string {
  if (column === 'note') return pick(random, ['a', 'b', 'c']);
  if (column === 'customer_id') return String(1 + Math.floor(random() * MOST_ID));
  return String(Math.round(random() * 70) / 10);
}

type Step = { readonly text: string; readonly copied?: string };

/** What somebody may do to a table, as one statement. */
function step(table: WrittenTable, random: Random): Step {
  const part = table.parts.length > 0 && random() < 0.4 ? pick(random, table.parts) : undefined;
  const name = part?.name ?? table.name;
  const { key, columns } = table;
  const { from: low, to: high } = part ?? { from: 1, to: MOST_ID };
  const id = (): number => low + Math.floor(random() * (high - low + 1));
  const first = id();
  const some = `${key} between ${first} and ${first + Math.floor(random() ** 3 * 150)}`;
  const ids = [...new Set(Array.from({ length: 1 + Math.floor(random() ** 3 * 60) }, id))];
  const row = (one: number): string[] => [String(one), ...columns.map((column) => valueOf(column, random))];
  const values = ids
    .map(
      (one) =>
        `(${row(one)
          .map((value) => `'${value}'`)
          .join(', ')})`,
    )
    .join(', ');
  const names = [key, ...columns].join(', ');
  const changed = pick(random, columns);
  const all = columns.map((column) => `${column} = excluded.${column}`).join(', ');
  const given = `(values ${values}) s (${names})`;
  const typed = (column: string): string => `s.${column}::${typeOf(column)}`;
  const chance = random();
  if (chance < 0.22) return { text: `insert into ${name} (${names}) values ${values} on conflict do nothing` };
  if (chance < 0.32)
    return { text: `insert into ${name} (${names}) values ${values} on conflict (${key}) do update set ${all}` };
  if (chance < 0.52) return { text: `update ${name} set ${changed} = '${valueOf(changed, random)}' where ${some}` };
  if (chance < 0.6) return { text: `update ${name} set ${key} = ${id()} where ${key} = ${id()}` };
  if (chance < 0.74) return { text: `delete from ${name} where ${some}` };
  if (chance < 0.86)
    return {
      text: `merge into ${name} t using ${given} on t.${key} = s.${key}::bigint
        when matched and s.${key}::bigint % 3 = 0 then delete
        when matched then update set ${changed} = ${typed(changed)}
        when not matched then insert (${names}) values (${[key, ...columns].map(typed).join(', ')})`,
    };
  if (chance < 0.98 || table.isReferenced) {
    const lines = ids.map((one) => row(one).join('\t') + '\n').join('');
    return { text: `copy ${name} (${names}) from stdin`, copied: lines };
  }
  return { text: `truncate ${name}` };
}

function typeOf(column: string): string {
  if (column === 'note') return 'text';
  return column === 'id' || column === 'customer_id' ? 'bigint' : 'real';
}

async function take(client: Client, { text, copied }: Step): Promise<void> {
  if (copied === undefined) await client.query(text);
  else await pipeline(Readable.from([copied]), client.query(from(text)));
}

/** Somebody who writes, and connects again when the server crashed. */
export class Writer {
  readonly #connect: () => Promise<Client>;
  readonly #random: Random;
  readonly #name: string;
  #client: Client | undefined;
  #transactions = 0;
  committed = 0;

  /** `name` begins the names of its two-phase transactions. */
  constructor(connect: () => Promise<Client>, random: Random, name: string) {
    this.#connect = connect;
    this.#random = random;
    this.#name = name;
  }

  /** Writes in transactions, some of which take long, are rolled back, prepared, or fail, while `goesOn`. */
  async write(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      try {
        this.#client ??= await this.#open();
        await this.#transaction(this.#client);
      } catch {
        await this.#client?.query('rollback').catch(() => (this.#client = undefined));
      }
      await pause(this.#random() * 40);
    }
    // What a crash left prepared would hold its locks for ever.
    if (this.#client === undefined) this.#client = await this.#open();
  }

  async #open(): Promise<Client> {
    for (;;) {
      try {
        const client = await this.#connect();
        const { rows } = await client.query<{ gid: string }>(
          'select gid from pg_prepared_xacts where starts_with(gid, $1)',
          [`${this.#name}_`],
        );
        for (const { gid } of rows) await this.#endPrepared(client, gid);
        return client;
      } catch {
        await pause(100);
      }
    }
  }

  async #transaction(client: Client): Promise<void> {
    const random = this.#random;
    const pauseMs = random() < 0.1 ? 1000 : 10;
    await client.query('begin');
    for (let left = 1 + Math.floor(random() * 3); left > 0; left -= 1) {
      const undone = random() < 0.1;
      await client.query('savepoint before');
      // Most refusals, such as of a key that is there, leave the rest of the transaction.
      const taken = await take(client, step(pick(random, TABLES), random)).then(
        () => true,
        () => false,
      );
      await client.query(undone || !taken ? 'rollback to before' : 'release before');
      await pause(random() * pauseMs);
    }
    if (random() < 0.15) return this.#prepared(client);
    const kept = random() > 0.15;
    await client.query(kept ? 'commit' : 'rollback');
    if (kept) this.committed += 1;
  }

  async #prepared(client: Client): Promise<void> {
    this.#transactions += 1;
    const name = `${this.#name}_${this.#transactions}`;
    const prepare = `prepare transaction '${name}'`;
    await client.query(prepare);
    await pause(this.#random() * 500);
    await this.#endPrepared(client, name);
  }

  async #endPrepared(client: Client, name: string): Promise<void> {
    const kept = this.#random() > 0.3;
    const end = `${kept ? 'commit' : 'rollback'} prepared '${name}'`;
    await client.query(end);
    if (kept) this.committed += 1;
  }
}
