import type { Client } from 'pg';
import type { Random } from '../../../src/lib/random.ts';
import { pause } from '../../../src/lib/retry.ts';
import { pick } from '../../support/pick.ts';
import { ENTITIES, type LabelTable } from './label-table.ts';

/** What people do to a table of labels, as statements. */
function writes({ name, timed }: LabelTable, random: Random): readonly (readonly string[])[] {
  const id = (): number => 1 + Math.floor(random() * ENTITIES);
  const known = (): string => `2026-03-0${1 + Math.floor(random() * 6)} 18:00+00`;
  const row = (one: number): string => `(${one}, '${known()}', '${pick(random, ['yes', 'no'])}')`;
  const someRows = Array.from({ length: 1 + Math.floor(random() * 8) }, id).map(row);
  const allRows = Array.from({ length: ENTITIES }, (_, index) => row(index + 1)).join(', ');
  const from = id();
  const some = `id between ${from} and ${from + Math.floor(random() * 10)}`;
  const key = timed ? '(id, known)' : '(id)';
  const insert = `insert into ${name} values ${someRows.join(', ')} on conflict ${key} do nothing`;
  const reload = `insert into ${name} values ${allRows} on conflict ${key} do nothing`;
  return [
    [insert],
    [insert],
    [`insert into ${name} values ${row(id())} on conflict ${key} do update set outcome = excluded.outcome`],
    [`update ${name} set outcome = case outcome when 'yes' then 'no' else 'yes' end where ${some}`],
    [`update ${name} set outcome = null where id = ${id()}`],
    [`update ${name} set known = known + interval '1 day' where id = ${id()}`],
    [`update ${name} set id = ${id()} where id = ${id()}`],
    [`delete from ${name} where ${some}`],
    [`delete from ${name}`, reload],
    [`truncate ${name}`],
    [`truncate ${name}`, reload],
    [reload],
  ];
}

/** Writes in transactions of one to four things, some of which take long, are rolled back, or fail, while `goesOn`. */
export async function write(
  client: Client,
  tables: readonly LabelTable[],
  random: Random,
  goesOn: () => boolean,
): Promise<void> {
  while (goesOn()) {
    await transaction(client, tables, random).catch(() => client.query('rollback'));
    await pause(random() * 100);
  }
}

async function transaction(client: Client, tables: readonly LabelTable[], random: Random): Promise<void> {
  const isLong = random() < 0.15;
  await client.query('begin');
  for (let left = 1 + Math.floor(random() * 4); left > 0; left -= 1) {
    const undone = random() < 0.1;
    if (undone) await client.query('savepoint before');
    for (const statement of pick(random, writes(pick(random, tables), random))) {
      await client.query(statement);
      await pause(random() * (isLong ? 1000 : 30));
    }
    if (undone) await client.query('rollback to before');
  }
  await client.query(random() < 0.2 ? 'rollback' : 'commit');
}

/** Writes what no trigger sees, and asks for a comparison in the same transaction, while `goesOn`. */
export async function writeUnseen(
  superuser: Client,
  tables: readonly LabelTable[],
  random: Random,
  goesOn: () => boolean,
): Promise<void> {
  while (goesOn()) {
    const table = pick(random, tables);
    try {
      await superuser.query('begin; set local session_replication_role = replica; set local search_path = alice');
      for (const statement of pick(random, writes(table, random))) await superuser.query(statement);
      await pause(random() * 200);
      const ask = `insert into pgscore_data.comparison_request (source_id) select source_id from pgscore_data.label_source where model_id = $1`;
      await superuser.query(ask, [table.modelId]);
      await superuser.query('commit');
    } catch {
      await superuser.query('rollback');
    }
    await pause(random() * 600);
  }
}
