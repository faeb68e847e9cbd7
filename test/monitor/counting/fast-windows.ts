import { effectiveFrom, kishOf, type Sums } from './effective.ts';
import { type Grain, windowOf } from './local-windows.ts';
import type { Settings } from './record.ts';
import { type Counted, keyOf } from './reference.ts';

// Once: a global takes a hundred times as long in Jest's sandbox.
const { floor } = Math;

/** The predictions of one version about one entity, in columns. */
export type Series = {
  readonly version: number;
  readonly entity: string;
  readonly at: number[];
  readonly made: number[];
  readonly isYes: number[];
  isSorted: boolean;
};

/** What is counted of a window, and of the entity that is passed just now. */
type Tally = Sums & {
  readonly version: number;
  readonly window: string;
  nPredictions: number;
  nAwaiting: number;
  readonly outcomes: Map<string, number>;
  nEntities: number;
  entityPairs: number;
  entityHits: number;
};

export const NOT_JUDGED = -1;

export type FastPlace = {
  readonly first: number;
  readonly next: number;
  readonly standing: number;
  readonly truth: number;
  readonly isOpen: boolean;
};

/** The windows of one grain. Places of an entity come in order of time, so that each of its windows is passed once. */
export class FastWindows {
  readonly #grain: Grain;
  readonly #timeZone: string;
  readonly #tallies = new Map<string, Tally>();
  readonly #windows = new Map<number, string>();
  #current: Tally | undefined;

  constructor(grain: Grain, timeZone: string) {
    this.#grain = grain;
    this.#timeZone = timeZone;
  }

  add({ version, at, isYes }: Series, { first, next, standing, truth, isOpen }: FastPlace): void {
    const tally = this.#tallyOf(version, at[first] ?? 0);
    tally.nPredictions += next - first;
    if (truth === NOT_JUDGED) {
      tally.nAwaiting += isOpen ? 1 : 0;
      return;
    }
    const yes = isYes[standing] ?? 0;
    const outcome = `${yes === 1 ? 'yes' : 'no'} ${truth === 1 ? 'yes' : 'no'}`;
    tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + 1);
    tally.entityPairs += 1;
    tally.entityHits += yes === truth ? 1 : 0;
  }

  endEntity(): void {
    const tally = this.#current;
    if (tally !== undefined && tally.entityPairs > 0) {
      const { entityPairs: pairs, entityHits: hits } = tally;
      tally.nEntities += 1;
      tally.pairs += pairs;
      tally.hits += hits;
      tally.pairs2 += pairs * pairs;
      tally.hitsPairs += hits * pairs;
      tally.hits2 += hits * hits;
      tally.entityPairs = 0;
      tally.entityHits = 0;
    }
    this.#current = undefined;
  }

  counted({ minLabelCoverage }: Settings): Counted[] {
    const counted = [...this.#tallies.values()].map((tally): Counted => {
      const { version, window, nPredictions, nAwaiting, outcomes, hits, nEntities, pairs: nLabeled } = tally;
      const labelCoverage = nLabeled + nAwaiting === 0 ? null : nLabeled / (nLabeled + nAwaiting);
      return {
        version,
        window,
        segment: null,
        nPredictions,
        nLabeled,
        nAwaiting,
        outcomes,
        hits,
        nEntities,
        nSuperseded: nPredictions - nLabeled - nAwaiting,
        labelCoverage,
        isMature: nLabeled > 0 && (labelCoverage ?? 0) >= minLabelCoverage,
        sumError: 0,
        sumAbsError: 0,
        sumSquaredError: 0,
        kish: kishOf(tally),
        nEffective: effectiveFrom(tally),
      };
    });
    return counted.toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)));
  }

  #tallyOf(version: number, at: number): Tally {
    const halfHour = floor(at / 1_800_000);
    let window = this.#windows.get(halfHour);
    if (window === undefined) {
      window = windowOf(at, this.#grain, this.#timeZone);
      this.#windows.set(halfHour, window);
    }
    if (this.#current?.window === window && this.#current.version === version) return this.#current;
    this.endEntity();
    const key = `${version} ${window}`;
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      tally = {
        version,
        window,
        nPredictions: 0,
        nAwaiting: 0,
        outcomes: new Map(),
        nEntities: 0,
        entityPairs: 0,
        entityHits: 0,
        pairs: 0,
        hits: 0,
        pairs2: 0,
        hitsPairs: 0,
        hits2: 0,
      };
      this.#tallies.set(key, tally);
    }
    this.#current = tally;
    return tally;
  }
}
