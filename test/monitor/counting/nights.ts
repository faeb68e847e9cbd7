import type { FinishedRun } from './finished-runs.ts';
import type { Told } from './model-history.ts';
import { DAY_MS } from './record.ts';

// Once: a global takes a hundred times as long in Jest's sandbox.
const { ceil, floor, fround, imul, max, round } = Math;
const NO_SCORE = Number.NaN;
const HOUR_MS = DAY_MS / 24;

/** A number of 0 to 1 that depends on nothing but these. */
function drawn(...numbers: number[]): number {
  let mixed = 2_166_136_261;
  for (const number of numbers) {
    mixed = imul(mixed ^ number, 16_777_619);
    mixed = imul(mixed ^ (mixed >>> 15), 2_246_822_519);
  }
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32;
}

/** Nights of a year or more that end before now, with what is scored and told in each. Night 0 is the first. */
export class Nights {
  readonly #entities: number;
  readonly #first: number;

  constructor(entities: number, nights: number, now: number) {
    this.#entities = entities;
    this.#first = now - HOUR_MS / 2 - (nights - 1) * DAY_MS;
  }

  at(night: number): number {
    return this.#first + night * DAY_MS;
  }

  /** The nightly run of everybody who is there: some are new, some leave for good or for a while, some are missing for a night. */
  full(night: number, version = 1): FinishedRun {
    const ids = range(this.#entities).filter((id) => this.#isThere(id, night));
    return this.#run(ids, night, this.at(night), { publish: version === 1, isLarge: true });
  }

  /** A run about a few of them in the middle of the day. */
  small(night: number, rows: number): FinishedRun {
    const ids = this.#some(rows, night, 1);
    return this.#run(ids, night + 0.5, this.at(night) + 9 * HOUR_MS, { publish: night % 50 === 1, isLarge: false });
  }

  /** A run that says what each row is for: most of it was said in the weeks before, too. */
  timed(night: number): FinishedRun {
    const ids = this.#some(ceil(this.#entities / 20), floor(night / 30), 2);
    const due = this.at(night - (night % 30) + 33) + 15 * HOUR_MS;
    const run = this.#run(ids, night, this.at(night) + 10 * HOUR_MS, { publish: false, isLarge: night % 20 < 10 });
    return { ...run, times: ids.map((id) => (id % 9 === 0 ? null : due)) };
  }

  calls(night: number, many: number): { id: number; at: number; given: number }[] {
    return this.#some(many, night, 3).map((id, index) => ({
      id,
      at: this.at(night) + 11 * HOUR_MS + index * 1000,
      given: scoreOf(id, night + 0.25),
    }));
  }

  /** What is told in a night: of the day before, of a month ago and of long ago; corrections and withdrawals of what was told before. */
  told(night: number): Told[] {
    const told = this.#some(ceil(this.#entities / 60), night, 4).map((id, index): Told => {
      const known = max(0, night - daysUntilTold(index, id, night));
      return { id, knownAt: this.at(known) - floor(drawn(id, known) * DAY_MS), truth: truthOf(id, known) };
    });
    const again = this.#again(night);
    return [...new Map([...told, ...again].map((each) => [`${each.id} ${each.knownAt}`, each])).values()];
  }

  #again(night: number): Told[] {
    if (night < 40) return [];
    const before = this.told(night - 5 - floor(drawn(night, 5) * 30)).slice(0, 12);
    return before.map(({ id, knownAt, truth }, index) => ({
      id,
      knownAt,
      truth: index % 4 === 0 ? null : truth === 'yes' ? 'no' : 'yes',
    }));
  }

  #isThere(id: number, night: number): boolean {
    if (id % 11 === 0 && night < drawn(id, 6) * 300) return false;
    if (id % 13 === 0 && night > 100 + drawn(id, 7) * 300) return false;
    if (id % 17 === 0 && night >= 120 && night < 180) return false;
    return drawn(id, night, 8) > 0.01;
  }

  #run(
    ids: readonly number[],
    night: number,
    snapshotAt: number,
    how: { readonly publish: boolean; readonly isLarge: boolean },
  ): FinishedRun {
    const given = ids.map((id) => (drawn(id, night, 9) < 0.002 ? NO_SCORE : scoreOf(id, night)));
    return { snapshotAt, ids, given, ...how };
  }

  #some(many: number, night: number, why: number): number[] {
    const chosen = Array.from({ length: many }, (_, index) => 1 + floor(drawn(night, index, why) * this.#entities));
    return [...new Set(chosen)];
  }
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index + 1);
}

/** Scores change every ten days or so, and are what a single-precision model says. */
function scoreOf(id: number, night: number): number {
  return fround(drawn(id, floor((night + (id % 10)) / 10), round((night % 1) * 4)));
}

function truthOf(id: number, night: number): string {
  return drawn(id, floor(night / 30), 10) < 0.4 ? 'yes' : 'no';
}

function daysUntilTold(index: number, id: number, night: number): number {
  if (index % 5 < 3) return 0;
  return index % 5 === 3 ? floor(drawn(id, night) * 40) : floor(drawn(id, night) * 400);
}
