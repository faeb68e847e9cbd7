import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { changedRequirements, changedTable, measureChanged, type ChangedCost } from './changed.ts';
import { quantile, table, thousands, type Requirement } from './figures.ts';
import { addNotes, measureWriters, writerRequirements, writerTable, type WriterCost } from './watch-writers.ts';
import { measureWatchLoad, watchLoadRequirements, watchLoadTables, type WatchLoad } from './watch-load.ts';
import type { WatchPlan } from './plan.ts';
import { asRequester, makeSource, type Stage } from './stage.ts';

/** What following a table takes and gives. */
export type WatchCost = {
  readonly delayMs: { readonly median: number; readonly most95: number };
  /** Rows a second that pending falls by after a burst, and those of a full run over the same table. */
  readonly burstRate: number;
  readonly runRate: number;
  readonly writers: WriterCost;
  readonly load: WatchLoad;
  readonly changed: ChangedCost;
};

const LIVE = 'watched_live';

export async function measureWatch(stage: Stage, plan: WatchPlan, tell: (line: string) => void): Promise<WatchCost> {
  const client = await asRequester(stage);
  try {
    await makeSource(client, 'watched', plan.rows);
    await makeSource(client, 'unwatched', plan.rows);
    for (const name of ['watched', 'unwatched']) await addNotes(client, name);
    tell(`a watch over ${plan.rows} rows`);
    await client.query(`select pgscore.watch('trees', 'watched', target => 'watched_live', notify => 'watched')`);
    await atRest(client);
    const runRate = await rateOfRun(client, plan.rows);
    tell('statements with and without the triggers of a watch');
    const writers = await measureWriters(client, 'unwatched', plan);
    tell(`a burst of ${plan.burst} rows`);
    const burstRate = await measureBurst(client, plan);
    tell(`${plan.rate} rows a second for ${plan.seconds} s`);
    const delayMs = await measureDelay(stage, plan);
    await client.query(`select pgscore.pause_watch($1)`, [LIVE]);
    const load = await measureWatchLoad(stage, plan.load, tell);
    tell(`runs over changed rows of ${plan.changed.rows}`);
    const changed = await measureChanged(stage, plan.changed);
    return { delayMs, burstRate, runRate, writers, load, changed };
  } finally {
    await client.query(`select pgscore.unwatch($1)`, [LIVE]);
    await client.end();
  }
}

async function atRest(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ state: string; error: string | null }>(
      `select state, error from pgscore.watches where target = 'pgscore_bench.watched_live'`,
    );
    if (rows[0]?.error) throw new Error(rows[0].error);
    if (rows[0]?.state === 'following') return;
    await sleep(20);
  }
}

async function rateOfRun(client: pg.Client, rows: number): Promise<number> {
  const began = performance.now();
  const { rows: submitted } = await client.query<{ run: string }>(
    `select pgscore.score_table('trees', 'unwatched', target => 'unwatched_scores') as run`,
  );
  await client.query('call pgscore.wait_for_run($1)', [submitted[0]?.run]);
  return rows / ((performance.now() - began) / 1000);
}

const FIELDS = Array.from({ length: 20 }, (_, index) => `f${index}`).join(', ');

/** While pending falls: a service at rest looks for changed rows once a second. */
async function measureBurst(client: pg.Client, { burst }: WatchPlan): Promise<number> {
  const text = `insert into watched select i, ${FIELDS.replaceAll(/f\d+/g, '(i % 13) - 6')}, null
    from generate_series(2000000001, 2000000000::bigint + ${burst}) i`;
  const { rows: before } = await client.query<{ run: string }>('select max(run) as run from pgscore.runs');
  await client.query(text);
  await atRest(client);
  const { rows } = await client.query<{ seconds: number }>(
    `select extract(epoch from max(finished_at) - min(started_at))::float8 as seconds from pgscore.runs where run > $1`,
    [before[0]?.run],
  );
  return burst / (rows[0]?.seconds ?? Number.NaN);
}

/** From a commit to the prediction that another session sees, over rows that are inserted at a rate. */
async function measureDelay(stage: Stage, { rate, seconds }: WatchPlan): Promise<WatchCost['delayMs']> {
  const [writer, reader] = await Promise.all([asRequester(stage), asRequester(stage)]);
  const awaited = new Map<string, number>();
  const delays: number[] = [];
  let looking = Promise.resolve();
  const look = async (): Promise<void> => {
    const { rows } = await reader.query<{ id: string }>('select id from watched_live where id = any ($1)', [
      [...awaited.keys()],
    ]);
    for (const { id } of rows) {
      delays.push(performance.now() - (awaited.get(id) ?? 0));
      awaited.delete(id);
    }
  };
  reader.on('notification', () => {
    looking = looking.then(look);
  });
  await reader.query('listen watched');
  const insert = `insert into watched select $1::bigint, ${FIELDS}, null from unwatched where id = 1`;
  const began = performance.now();
  for (let at = 0; at < rate * seconds; at += 1) {
    const wait = began + (1000 * at) / rate - performance.now();
    if (wait > 1) await sleep(wait);
    const id = String(3_000_000_000 + at);
    await writer.query({ name: 'arrive', text: insert, values: [id] });
    awaited.set(id, performance.now());
  }
  await sleep(1000);
  await looking;
  await Promise.all([writer.end(), reader.end()]);
  return { median: quantile(delays, 0.5), most95: quantile(delays, 0.95) };
}

export function watchRequirements(cost: WatchCost): Requirement[] {
  const { delayMs, burstRate, runRate, writers, load } = cost;
  const line = (what: string, measured: string, met: boolean): Requirement => ({ what, measured, met });
  return [
    line(
      'a row is scored within 60 ms of its commit at the median',
      `${delayMs.median.toFixed(0)} ms`,
      delayMs.median < 60,
    ),
    line('and 95 of 100 within 250 ms', `${delayMs.most95.toFixed(0)} ms`, delayMs.most95 < 250),
    line(
      'a burst is scored at half of the rate of a full run',
      `${thousands(burstRate)} of ${thousands(runRate)} rows/s`,
      burstRate >= runRate / 2,
    ),
    ...writerRequirements(writers),
    ...watchLoadRequirements(load),
    ...changedRequirements(cost.changed),
  ];
}

export function watchTables(cost: WatchCost): string[] {
  return [
    'Following a table by triggers.',
    table(
      ['what', 'measured'],
      [
        ['from commit to visible prediction, median', `${cost.delayMs.median.toFixed(0)} ms`],
        ['the same, 95 of 100', `${cost.delayMs.most95.toFixed(0)} ms`],
        ['rows a second after a burst', thousands(cost.burstRate)],
        ['rows a second of a full run', thousands(cost.runRate)],
      ],
    ),
    writerTable(cost.writers),
    ...watchLoadTables(cost.load),
    changedTable(cost.changed),
  ];
}
