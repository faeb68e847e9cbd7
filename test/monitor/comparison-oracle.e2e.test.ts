import { beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { mulberry32 } from '../../src/lib/random.ts';
import { pause } from '../../src/lib/retry.ts';
import { cloneDatabase } from '../support/database.ts';
import { howMany } from '../support/night.ts';
import type { TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';
import { holdUp, killAndStart, startService } from './oracle/disturbances.ts';
import { createTable, type LabelTable, look, predictionsOf } from './oracle/label-table.ts';
import { write, writeUnseen } from './oracle/random-writes.ts';

/** PGSCORE_ORACLE_SEED does the same again, if not at the same moments; PGSCORE_ORACLE_SECONDS=3600 is for an hour by hand. */
const seed = Number(process.env['PGSCORE_ORACLE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const seconds = Number(process.env['PGSCORE_ORACLE_SECONDS'] ?? howMany(20, 60));

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const random = mulberry32(seed);
const tables: LabelTable[] = [];
let service: TestService;

beforeAll(async () => {
  console.log(`seed ${seed}`);
  const predictions = predictionsOf(random);
  const keep = `create table prediction as select id, at, label from jsonb_to_recordset($1) as x (id int, at timestamptz, label text)`;
  await superuser.query(keep.replace('$1', superuser.escapeLiteral(JSON.stringify(predictions))));
  for (const timed of [true, false]) {
    const model = timed ? 'timed' : 'untimed';
    const monitored = await addMonitoredModel(superuser, model, 'binary');
    await addRun(superuser, monitored, predictions);
    const table: LabelTable = { model, modelId: monitored.modelId, name: `${model}_truth`, timed };
    await createTable(alice, table);
    const source = `select pgscore.set_labels($1, $2, label => 'outcome', key => 'id', known_at => $3)`;
    await alice.query(source, [model, table.name, timed ? 'known' : null]);
    tables.push(table);
  }
  // Not before: a refresh would count runs of which only half is there.
  service = await startService(database);
});

/** How many of the models are settled; throws where one is and is wrong. */
async function settledModels(client: Client): Promise<number> {
  let settled = 0;
  for (const table of tables) {
    const seen = await look(client, table, 'public.prediction');
    expect({ seed, model: table.model, wrong: seen.wrong }).toEqual({ seed, model: table.model, wrong: [] });
    settled += Number(seen.settled);
  }
  return settled;
}

/** How often a model was settled, and right, while `goesOn`. */
async function watch(client: Client, goesOn: () => boolean): Promise<number> {
  let settled = 0;
  while (goesOn()) {
    settled += await settledModels(client);
    await pause(50);
  }
  return settled;
}

/** Why a model is not settled, and what the database is about. */
async function owed(): Promise<unknown> {
  const { rows } = await superuser.query(`select to_jsonb(s) as source,
      (select count(*) from pgscore_data.label_change c where c.model_id = s.model_id) as changes,
      (select count(*) from pgscore_data.comparison_request q where q.source_id = s.source_id) as requests,
      (select count(*) from pgscore_data.touched) as days,
      (select jsonb_agg(jsonb_build_object('name', a.application_name, 'waits', a.wait_event, 'since', a.xact_start))
         from pg_stat_activity a where a.datname = current_database() and a.state <> 'idle') as sessions
    from pgscore_data.label_source s`);
  return rows;
}

async function waitUntilSettled(): Promise<void> {
  let wrong: unknown;
  const areSettled = async (): Promise<boolean> => {
    const settled = await settledModels(superuser).catch((error: unknown) => (wrong = error));
    return wrong !== undefined || settled === tables.length;
  };
  const message = `all models to be settled when nobody writes, seed ${seed}`;
  await waitFor(areSettled, { timeout: 120_000, message }).catch(async (error: unknown) => {
    throw new Error(`what is owed: ${JSON.stringify(await owed())}`, { cause: error });
  });
  if (wrong !== undefined) throw wrong;
}

test(
  'whenever labels are said to be settled, labels and accuracy are what the tables say',
  async () => {
    const [watcher, unseen, holder, ...writers] = await Promise.all([
      ...Array.from({ length: 3 }, () => database.client()),
      ...Array.from({ length: 3 }, () => database.client('alice')),
    ]);
    if (watcher === undefined || unseen === undefined || holder === undefined) throw new Error('no connections');
    const seeds = Array.from({ length: 8 }, () => mulberry32(Math.floor(random() * 2 ** 31)));
    const [ofUnseen = random, ofHolder = random, ofKiller = random, ...ofWriters] = seeds;
    let settled = 0;
    for (const until = performance.now() + seconds * 1000; performance.now() < until;) {
      const end = performance.now() + 2000 + random() * 5000;
      let failed = false;
      const goesOn = () => !failed && performance.now() < end;
      const [seen] = await Promise.allSettled([
        watch(watcher, goesOn).finally(() => (failed = true)),
        writeUnseen(unseen, tables, ofUnseen, goesOn),
        holdUp(holder, ofHolder, goesOn),
        killAndStart(database, service, ofKiller, goesOn).then((last) => (service = last)),
        ...writers.map((client, index) => write(client, tables, ofWriters[index] ?? random, goesOn)),
      ]);
      if (seen.status === 'rejected') throw seen.reason;
      settled += seen.value;
      await waitUntilSettled();
    }
    console.log(`seed ${seed}: settled ${settled} times in mid-work`);
  },
  seconds * 1000 + 90_000,
);
