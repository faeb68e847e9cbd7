import fc from 'fast-check';

import { INVALID } from './judge.ts';
import type { ModelHistory, Told } from './model-history.ts';
import { DAY_MS, type Settings } from './record.ts';
import { dropNewest, forgetEntity, forgetRun, letGo, relabel, seal } from './removals.ts';
import type { SlowRecord } from './slow-record.ts';
import { type Task, TRUTHS } from './watched.ts';

type History = ModelHistory<SlowRecord>;

/** Something that happens to a model. `base` is a moment within the last hour: no time of a step is close to now. */
export class Step {
  readonly #what: string;
  readonly apply: (history: History, base: number) => Promise<void>;

  constructor(what: string, apply: (history: History, base: number) => Promise<void>) {
    this.#what = what;
    this.apply = apply;
  }

  /** How a failure shows it. */
  [fc.toStringMethod](): string {
    return this.#what;
  }
}

const HOUR_MS = DAY_MS / 24;
const FIRST_DAY = -30;

const hours = fc.integer({ min: FIRST_DAY * 24, max: -1 });
const version = fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constant(2) });
const given = fc.constantFrom(0.1, 0.3, 0.5, 0.6, 0.9);

/** Rows of one run: who is in it, and what is said of whom. */
function rowsOf(entities: number) {
  const value = fc.oneof({ weight: 15, arbitrary: given }, { weight: 1, arbitrary: fc.constant(Number.NaN) });
  const someone = fc.integer({ min: 1, max: entities });
  const everyone = fc.constant(Array.from({ length: entities }, (_, index) => index + 1));
  const ids = fc.oneof(
    { weight: 3, arbitrary: everyone },
    { weight: 2, arbitrary: fc.uniqueArray(someone, { minLength: 1, maxLength: entities }) },
    { weight: 1, arbitrary: someone.map((id) => [id]) },
  );
  return ids.chain((chosen) =>
    fc.record({
      ids: fc.constant(chosen),
      given: fc.array(value, { minLength: chosen.length, maxLength: chosen.length }),
      // Noons of a few days, so that many runs are for the same time; some are yet to come.
      noons: fc.option(
        fc.array(fc.option(fc.integer({ min: -8, max: 2 }), { freq: 8 }), {
          minLength: chosen.length,
          maxLength: chosen.length,
        }),
        { freq: 2 },
      ),
      carriers: fc.option(
        fc.array(fc.constantFrom('AA', 'BB', null), { minLength: chosen.length, maxLength: chosen.length }),
      ),
    }),
  );
}

function scores(entities: number): fc.Arbitrary<Step> {
  return fc.record({ version, hour: hours, rows: rowsOf(entities), isLarge: fc.boolean() }).map(
    ({ version: number, hour, rows, isLarge }) =>
      new Step(`score ${JSON.stringify({ number, hour, rows, isLarge })}`, async (history, base) => {
        const times = rows.noons?.map((day) => (day === null ? null : base + (day * 24 + 12) * HOUR_MS));
        await history.run(number, {
          snapshotAt: unusedFrom(history, base + hour * HOUR_MS),
          ids: rows.ids,
          given: rows.given,
          isLarge,
          publish: number === 1,
          ...(times === undefined ? {} : { times }),
          ...(rows.carriers === null ? {} : { segments: { carrier: rows.carriers } }),
        });
      }),
  );
}

/** Of two predictions for one time that were made at the same moment neither is the last. */
function unusedFrom({ record }: History, snapshotAt: number): number {
  const used = new Set(record.predictions.map(({ made }) => made));
  let free = snapshotAt;
  while (used.has(free)) free -= HOUR_MS;
  return free;
}

function asks(entities: number): fc.Arbitrary<Step> {
  const noon = fc.option(fc.integer({ min: -8, max: 2 }));
  const call = fc.record({ id: fc.integer({ min: 1, max: entities }), hour: hours, given, noon });
  return fc
    .record({
      version,
      calls: fc.uniqueArray(call, { minLength: 1, maxLength: 4, selector: ({ hour }) => hour }),
      kept: fc.constantFrom('singly' as const, 'in blocks' as const),
    })
    .map(
      ({ version: number, calls, kept }) =>
        new Step(`ask ${JSON.stringify({ number, calls, kept })}`, async (history, base) => {
          const asked = new Map(
            calls.map(({ id, hour, given: x, noon: day }) => {
              const made = unusedFrom(history, base + hour * HOUR_MS + HOUR_MS / 4);
              return [
                made,
                day === null
                  ? { id, at: made, given: x }
                  : { id, at: base + (day * 24 + 12) * HOUR_MS, asked: made, given: x },
              ];
            }),
          );
          await history.calls(number, [...asked.values()], kept);
        }),
    );
}

/** Most labels become known close to what they judge: at the very time of a prediction, or a moment before or after. */
function tells(entities: number, task: Task): fc.Arbitrary<Step> {
  const truth = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...TRUTHS[task]) },
    { weight: 1, arbitrary: fc.constant(INVALID) },
    { weight: 2, arbitrary: fc.constant(null) },
  );
  const label = fc.record({
    id: fc.integer({ min: 1, max: entities }),
    hour: fc.integer({ min: FIRST_DAY * 24, max: 3 * 24 }),
    near: fc.option(fc.record({ nth: fc.nat(100), later: fc.constantFrom(-1, 0, 1, HOUR_MS) })),
    again: fc.option(fc.nat(100), { freq: 3 }),
    truth,
  });
  return fc.array(label, { minLength: 1, maxLength: entities }).map(
    (labels) =>
      new Step(`tell ${JSON.stringify(labels)}`, async (history, base) => {
        const { tellings, predictions } = history.record;
        const told = labels.map(({ id, hour, near, again, truth: said }): Told => {
          const corrected = again === null ? undefined : tellings[again % Math.max(1, tellings.length)];
          if (corrected !== undefined) return { id: Number(corrected.entity), knownAt: corrected.knownAt, truth: said };
          const of = near === null ? undefined : predictions[near.nth % Math.max(1, predictions.length)];
          const knownAt = near === null || of === undefined ? base + hour * HOUR_MS : of.at + near.later;
          return { id: of === undefined ? id : Number(of.entity), knownAt, truth: said };
        });
        await history.tell([...new Map(told.map((each) => [`${each.id} ${each.knownAt}`, each])).values()]);
      }),
  );
}

const settings: fc.Arbitrary<Step> = fc
  .oneof(
    fc.record<Partial<Settings>>({
      pairing: fc.constantFrom('latest_before_label', 'within', 'first', 'latest', 'all'),
      horizon: fc.constantFrom(2 * DAY_MS, 10 * DAY_MS),
    }),
    fc.record<Partial<Settings>>({ labelDelay: fc.constantFrom(0, DAY_MS, 7 * DAY_MS, 60 * DAY_MS) }),
    fc.record<Partial<Settings>>({ minLabelCoverage: fc.constantFrom(0.3, 0.95) }),
  )
  .map(
    (changes) =>
      new Step(`set ${JSON.stringify(changes)}`, async (history) => {
        if (history.record.letGo !== undefined && changes.minLabelCoverage === undefined) return;
        await history.set(changes);
        history.record.refreshed(history.settings, Date.now());
      }),
  );

const care: fc.Arbitrary<Step> = fc.constantFrom(
  new Step('rebuild', (history) => history.rebuild()),
  new Step('sweep', (history) => history.sweep()),
  new Step('drop the target', (history) => history.dropTarget()),
);

function removals(entities: number): fc.Arbitrary<Step> {
  return fc.oneof(
    fc.constantFrom(4, 10, 20).map((days) => new Step(`seal ${days}`, (history) => seal(history, days))),
    fc.constantFrom(3, 8).map((days) => new Step(`late ${days}`, (history) => letGo(history, days))),
    fc.integer({ min: 1, max: entities }).map((id) => new Step(`forget ${id}`, (history) => forgetEntity(history, id))),
    fc.nat(100).map((nth) => new Step(`forget run ${nth}`, (history) => forgetRun(history, nth))),
    fc.constant(new Step('relabel', relabel)),
    fc.constant(new Step('drop version', dropNewest)),
  );
}

/** What happens between two refreshes: one thing as a rule, and at times several. */
export function stepsOf(task: Task, entities: number): fc.Arbitrary<Step[]> {
  const step = fc.oneof(
    { weight: 5, arbitrary: scores(entities) },
    { weight: 2, arbitrary: asks(entities) },
    { weight: 5, arbitrary: tells(entities, task) },
    { weight: 1, arbitrary: settings },
  );
  return fc.oneof(
    { weight: 4, arbitrary: step.map((only) => [only]) },
    { weight: 2, arbitrary: fc.array(step, { minLength: 2, maxLength: 4 }) },
    { weight: 1, arbitrary: care.map((only) => [only]) },
    { weight: 2, arbitrary: removals(entities).map((only) => [only]) },
  );
}
