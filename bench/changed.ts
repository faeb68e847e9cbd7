import type pg from 'pg';
import { readBatches } from '../src/copy/read.ts';
import type { SourceColumn } from '../src/copy/source-column.ts';
import { spread, spreadOf, table, type Requirement, type Spread } from './figures.ts';
import type { ChangedPlan } from './plan.ts';
import { asOwner, asRequester, FEATURES, makeSource, type Stage } from './stage.ts';

/** What a run over changed rows takes. */
export type ChangedCost = {
  readonly seconds: Spread;
  /** By the time that one session takes to read and decode the table, right before. */
  readonly ofReading: Spread;
  /** By the bytes of WAL of the run before, which scored all rows. */
  readonly ofWal: number;
};

const COLUMNS: readonly SourceColumn[] = [
  { name: 'id', role: 'key' },
  ...FEATURES.map((name) => ({ name, role: 'feature' as const, type: 'float4' as const, width: 1 })),
];

export async function measureChanged(stage: Stage, { rows, rounds }: ChangedPlan): Promise<ChangedCost> {
  const [client, owner] = await Promise.all([asRequester(stage), asOwner(stage)]);
  try {
    await makeSource(client, 'changing', rows);
    // After a checkpoint PostgreSQL logs each page that it changes whole; none is to come in between.
    await owner.query('checkpoint').catch(() => undefined);
    await run(client, false);
    await owner.query('select pgscore.refresh()');
    const full = (await run(client, true)).bytes;
    const costs = [];
    for (let round = 0; round <= rounds; round += 1) {
      const change = `update changing set f0 = f0 + 1 where id % 100 = ${round}`;
      await client.query(change);
      await client.query('vacuum changing');
      // What the last run left to count is counted, and is not measured.
      await owner.query('select pgscore.refresh()');
      const reading = await read(client);
      costs.push({ reading, ...(await run(client, true)) });
    }
    // Of the first round nothing counts: code is compiled then.
    return summary(costs.slice(1), full);
  } finally {
    await Promise.all([client.end(), owner.end()]);
  }
}

type Cost = { readonly reading: number; readonly seconds: number; readonly bytes: number };

function summary(costs: readonly Cost[], full: number): ChangedCost {
  return {
    seconds: spreadOf(costs.map(({ seconds }) => seconds)),
    ofReading: spreadOf(costs.map(({ seconds, reading }) => seconds / reading)),
    ofWal: spreadOf(costs.map(({ bytes }) => bytes / full)).median,
  };
}

/** Seconds that it takes to read and decode the table. */
async function read(client: pg.Client): Promise<number> {
  const began = performance.now();
  const copy = `copy (select id, ${FEATURES.join(', ')} from changing) to stdout (format binary)`;
  for await (const { rows } of readBatches(client, copy, COLUMNS)) if (rows === 0) throw new Error('an empty batch');
  return (performance.now() - began) / 1000;
}

/** Seconds from the request of a run to its end, and the bytes of WAL that were written meanwhile. */
async function run(client: pg.Client, onlyChanged: boolean): Promise<{ seconds: number; bytes: number }> {
  const before = await walPosition(client);
  const began = performance.now();
  const { rows } = await client.query<{ run: string }>(
    `select pgscore.score_table('trees', 'changing', target => 'changing_scores', only_changed => $1) as run`,
    [onlyChanged],
  );
  await client.query('call pgscore.wait_for_run($1)', [rows[0]?.run]);
  const seconds = (performance.now() - began) / 1000;
  return { seconds, bytes: (await walPosition(client)) - before };
}

async function walPosition(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ at: string }>(`select pg_current_wal_insert_lsn() - '0/0' as at`);
  return Number(rows[0]?.at);
}

export function changedRequirements({ ofReading, ofWal }: ChangedCost): Requirement[] {
  return [
    {
      what: 'a run over 1 % of changed rows takes at most 1.2 times the time of reading the table',
      measured: ofReading.median.toFixed(2),
      met: ofReading.median <= 1.2,
    },
    {
      what: "and writes less than 5 % of a full run's WAL",
      measured: `${(100 * ofWal).toFixed(1)} %`,
      met: ofWal < 0.05,
    },
  ];
}

export function changedTable({ seconds, ofReading, ofWal }: ChangedCost): string {
  return table(
    ['a run over changed rows, one in a hundred', 'measured'],
    [
      ['seconds', spread(seconds, 2)],
      ['by reading and decoding the table', spread(ofReading, 2)],
      ["of a full run's WAL", `${(100 * ofWal).toFixed(1)} %`],
    ],
  );
}
