import { beforeAll, expect, test } from '@jest/globals';
import { mulberry32, type Random } from '../../src/lib/random.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { pick } from '../support/pick.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { type Grain, GRAINS, windowOf } from './counting/local-windows.ts';
import { groupedBy } from './counting/record.ts';
import { binned, type Bins, driftOf } from './drift/distances.ts';
import { COLUMNS, type Row, rowsOf, shapeOf } from './drift/random-rows.ts';

/** Each model has a seed of its own, the one after the last model's: PGSCORE_ORACLE_SEED begins with the one that failed. */
const first = Number(process.env['PGSCORE_ORACLE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const seconds = Number(process.env['PGSCORE_ORACLE_SECONDS'] ?? 120);

const ZONES = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC', 'Asia/Kathmandu'];
/** Clocks change in these weeks. */
const STARTS = ['2026-03-01', '2026-03-20', '2026-10-20'].map((day) => Date.parse(day));
const SUFFIXES = { day: 'daily', week: 'weekly', month: 'monthly' } as const;

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_POLL: '0.1' });
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);
type Model = {
  readonly name: string;
  readonly zone: string;
  readonly wanted: number;
  readonly batches: readonly (readonly Row[])[];
};

beforeAll(() => console.log(`seed ${first}`));

/** A watched model, and batches that it scored with a refresh after each. */
async function scoredModel(random: Random, name: string): Promise<Model> {
  await deployBytes(
    ada,
    name,
    weightedModel({ x: 'float64', z: 'float32', n: 'int64', color: 'string', flag: 'bool' }),
  );
  const [zone, wanted] = [pick(random, ZONES), pick(random, [300, 1000, 2500])];
  await ada.query('select pgscore.monitor($1, time_zone => $2)', [name, zone]);
  await ada.query('select pgscore.monitor_features($1, baseline_rows => $2)', [name, wanted]);
  const start = pick(random, STARTS);
  const batches: Row[][] = [];
  for (let batch = 0; batch < 6; batch += 1) {
    const rows = rowsOf(random, shapeOf(random, start), batch * 10_000);
    await scoreRows(name, `${name}_${batch}`, rows);
    batches.push(rows);
  }
  return { name, zone, wanted, batches };
}

async function scoreRows(model: string, source: string, rows: readonly Row[]): Promise<void> {
  const columns = Object.entries(COLUMNS).map(([column, type]) => `${column} ${type}`);
  const create = `create table ${source} (id int primary key, at timestamptz, ${columns.join(', ')})`;
  await alice.query(create);
  const insert = `insert into ${source} select * from jsonb_populate_recordset(null::${source}, $1)`;
  // JSON has no form for NaN and infinities: they go as texts.
  const written = rows.map(({ id, at, values }) => ({ id, at: new Date(at).toISOString(), ...values }));
  const number = (_: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
  await alice.query(insert, [JSON.stringify(written, number)]);
  const run = await scoreTable(alice, model, source, {
    target: `${model}_scores`,
    event_time: 'at',
    error_limit: 1_000_000,
  });
  expect(run).toMatchObject({ state: 'done', error: null });
  await superuser.query('select pgscore.refresh()');
}

async function binsOf({ name }: Model): Promise<Bins[]> {
  const read = `select b.* from pgscore_data.feature_bins b join pgscore_data.feature_set s using (set_id)
    join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id) where m.name = $1`;
  return (await superuser.query<Bins>(read, [name])).rows;
}

/** Whole runs, until there are enough rows. */
function baselineOf({ batches, wanted }: Model): readonly Row[] {
  const rows: Row[] = [];
  for (const batch of batches) if (rows.length < wanted) rows.push(...batch);
  return rows.length < wanted ? [] : rows;
}

/** What the views of a grain say of each window and feature that is not what its rows come to. */
async function wrongDrift(model: Model, bins: readonly Bins[], grain: Grain, isChange: boolean): Promise<unknown[]> {
  const view = `feature_${isChange ? 'change' : 'drift'}_${SUFFIXES[grain]}`;
  const read = `select *, window_date::text as first_day from pgscore_bi.${view} where model_name = $1`;
  const { rows: shown } = await superuser.query<Record<string, unknown>>(read, [model.name]);
  const windows = groupedBy(model.batches.flat(), ({ at }) => windowOf(at, grain, model.zone));
  const days = [...windows.keys()].toSorted();
  const wrong: unknown[] = shown.length === days.length * bins.length ? [] : [`${shown.length} rows of ${view}`];
  for (const [at, day] of days.entries()) {
    const other = isChange ? (windows.get(days[at - 1] ?? '') ?? []) : baselineOf(model);
    for (const bin of bins) {
      const [now, then] = [windows.get(day) ?? [], other].map((rows) =>
        rows.map(({ values }) => values[bin.name] ?? null),
      );
      const row = shown.find((each) => each['first_day'] === day && each['feature_name'] === bin.name);
      const expected = Object.entries(driftOf(bin, now ?? [], then ?? []));
      wrong.push(
        ...expected
          .filter(([metric, value]) => !isSame(row?.[metric], value))
          .map(([metric, value]) => ({ view, day, feature: bin.name, metric, is: row?.[metric], wanted: value })),
      );
    }
  }
  return wrong;
}

function isSame(shown: unknown, value: number | null): boolean {
  if (value === null || shown === null || shown === undefined) return value === shown;
  return Math.abs(Number(shown) - value) <= 1e-9 * Math.max(1, Math.abs(value));
}

async function wrongDistribution(
  { name, zone, batches }: Model,
  bins: readonly Bins[],
  grain: Grain,
): Promise<unknown[]> {
  const read = `select window_date::text as day, feature_name as feature, bin::int, n::int from pgscore_bi.feature_distribution_${SUFFIXES[grain]} where model_name = $1 and n > 0`;
  const { rows } = await superuser.query<{ day: string; feature: string; bin: number; n: number }>(read, [name]);
  const shown = rows.map(({ day, feature, bin, n }) => `${day} ${feature} bin ${bin}: ${n}`);
  const windows = groupedBy(batches.flat(), ({ at }) => windowOf(at, grain, zone));
  const wanted = [...windows].flatMap(([day, within]) =>
    bins.flatMap((each) =>
      [
        ...binned(
          each,
          within.map(({ values }) => values[each.name] ?? null),
        ),
      ].map(([bin, n]) => `${day} ${each.name} bin ${bin}: ${n}`),
    ),
  );
  const [all, found] = [new Set(wanted), new Set(shown)];
  return [
    ...shown.filter((line) => !all.has(line)).map((line) => `too much ${line}`),
    ...wanted.filter((line) => !found.has(line)).map((line) => `missing ${line}`),
  ];
}

test(
  'counts and distances of features are those of the rows, in every window',
  async () => {
    let models = 0;
    for (const until = performance.now() + seconds * 1000; performance.now() < until; models += 1) {
      const seed = first + models;
      const model = await scoredModel(mulberry32(seed), `drifting_${models}`);
      const bins = await binsOf(model);
      for (const grain of GRAINS) {
        const wrong = [
          await wrongDistribution(model, bins, grain),
          await wrongDrift(model, bins, grain, false),
          await wrongDrift(model, bins, grain, true),
        ].flat();
        const { zone, wanted } = model;
        expect({ seed, grain, zone, wanted, wrong: wrong.slice(0, 5) }).toEqual({
          seed,
          grain,
          zone,
          wanted,
          wrong: [],
        });
      }
    }
    console.log(`seed ${first}: ${models} models`);
  },
  seconds * 1000 + 120_000,
);
