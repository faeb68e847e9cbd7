import { AUCS, ERRORS, SCORES, SIZES, type Random, type Scores } from './draws.ts';
import {
  aucInterval,
  differenceInterval,
  maeInterval,
  nEffective,
  nEffectiveOf,
  rmseInterval,
  shareInterval,
  type Interval,
  type Ranking,
} from './formulas.ts';

const { abs, floor, max, min, sqrt } = Math;

/** How often an interval held what it was of. */
export type Coverage = { interval: string; setting: string; n: number; held: number; draws: number };

/** Draws one sample and says, of each interval, whether it holds; null where there is none. */
type Trial = (random: Random) => Record<string, boolean | null>;

/** What is tried: how many entities, shares, how many positives against how many negatives, and AUCs. */
type Grid = {
  entities: readonly number[];
  shares: readonly number[];
  classes: readonly (readonly [positives: number, negatives: number])[];
  aucs: readonly number[];
};

export const ALL: Grid = {
  entities: [30, 100, 1000],
  shares: [0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98, 0.99],
  classes: [
    [5, 25],
    [10, 20],
    [15, 15],
    [10, 90],
    [33, 67],
    [30, 970],
    [300, 700],
  ],
  aucs: AUCS,
};

export const FEW: Grid = {
  entities: ALL.entities,
  shares: [0.01, 0.3, 0.99],
  classes: [
    [10, 20],
    [10, 90],
    [30, 970],
  ],
  aucs: [0.5, 0.9, 0.998],
};

const holds = (interval: Interval | null, truth: number): boolean | null =>
  interval && interval[0] <= truth && truth <= interval[1];

function repeat(trial: Trial, random: Random, draws: number): Map<string, { held: number; draws: number }> {
  const counts = new Map<string, { held: number; draws: number }>();
  for (let n = 0; n < draws; n += 1) {
    for (const [name, held] of Object.entries(trial(random))) {
      if (held === null) continue;
      const count = counts.get(name) ?? { held: 0, draws: 0 };
      counts.set(name, { held: count.held + Number(held), draws: count.draws + 1 });
    }
  }
  return counts;
}

type Sizes = keyof typeof SIZES;

/** Every pair of a share: an entity's outcomes are all alike with that chance, else each is drawn anew. */
function shareTrial(entities: number, sizes: Sizes, p: number, alike: number): Trial {
  const size = SIZES[sizes];
  return (random) => {
    const whole = { n: 0, hits: 0, m2: 0, cm: 0, c2: 0 };
    const part = { n: 0, hits: 0, largest: 0 };
    for (let entity = 0; entity < entities; entity += 1) {
      const m = size?.(random) ?? 1;
      let c = 0;
      if (random() < alike) c = random() < p ? m : 0;
      else for (let pair = 0; pair < m; pair += 1) c += Number(random() < p);
      whole.n += m;
      whole.hits += c;
      whole.m2 += m ** 2;
      whole.cm += c * m;
      whole.c2 += c ** 2;
      part.largest = max(part.largest, m);
      // Half of the entities were called positive, say.
      if (random() < 0.5) {
        part.n += m;
        part.hits += c;
      }
    }
    const effective = nEffectiveOf(part.n, whole.m2, part.largest);
    return {
      accuracy: holds(shareInterval(whole.hits, whole.n, nEffective(whole.n, whole.hits, whole)), p),
      'precision, recall, F1': part.n > 0 ? holds(shareInterval(part.hits, part.n, effective), p) : null,
    };
  };
}

type Moments = { n: number; m2: number; sums: number[] };

function drawErrors(random: Random, entities: number, sizes: Sizes, draw: (random: Random) => number): Moments {
  const size = SIZES[sizes];
  const [sums, pairs] = [[0, 0, 0], { n: 0, m2: 0 }];
  for (let entity = 0; entity < entities; entity += 1) {
    const m = size?.(random) ?? 1;
    const error = abs(draw(random));
    pairs.n += m;
    pairs.m2 += m ** 2;
    for (const [index, power] of [1, 2, 4].entries()) sums[index] = (sums[index] ?? 0) + m * error ** power;
  }
  return { ...pairs, sums };
}

/** The errors of an entity are all alike. */
function errorTrial(entities: number, sizes: Sizes, kind: keyof typeof ERRORS): Trial {
  const errors = ERRORS[kind];
  if (errors === undefined) throw new Error(`there are no errors like ${kind}`);
  const measure = (random: Random) => {
    const { n, m2, sums } = drawErrors(random, entities, sizes, errors.draw);
    const [absolute = 0, squared = 0, fourth = 0] = sums;
    const effective = n ** 2 / m2;
    return {
      mae: { value: absolute / n, interval: maeInterval(n, absolute, squared, effective) },
      rmse: { value: sqrt(squared / n), interval: rmseInterval(n, squared, fourth, effective) },
    };
  };
  return (random) => {
    const [a, b] = [measure(random), measure(random)];
    const difference = (metric: 'mae' | 'rmse'): boolean | null => {
      const [ofA, ofB] = [a[metric].interval, b[metric].interval];
      return ofA && ofB && holds(differenceInterval(a[metric].value, ofA, b[metric].value, ofB), 0);
    };
    return {
      MAE: holds(a.mae.interval, errors.mae),
      RMSE: holds(a.rmse.interval, errors.rmse),
      'difference of MAE': difference('mae'),
      'difference of RMSE': difference('rmse'),
    };
  };
}

type Scored = { score: number; positive: boolean; m: number };

/** AUC and its structural components from pairs in the order of their scores, none of which tie. */
export function rank(scored: readonly Scored[], effective: (part: number) => number): Ranking {
  const sorted = scored.toSorted((a, b) => a.score - b.score);
  const total = (positive: boolean): number =>
    sorted.reduce((sum, one) => sum + (one.positive === positive ? one.m : 0), 0);
  const [positives, negatives] = [total(true), total(false)];
  const below = { positive: 0, negative: 0 };
  const sums = { beats: 0, beats2: 0, loses2: 0 };
  for (const { positive, m } of sorted) {
    const share = positive ? below.negative / negatives : 1 - below.positive / positives;
    if (positive) sums.beats += m * share;
    if (positive) sums.beats2 += m * share ** 2;
    else sums.loses2 += m * share ** 2;
    below[positive ? 'positive' : 'negative'] += m;
  }
  const auc = sums.beats / positives;
  return {
    auc,
    positives: effective(positives),
    negatives: effective(negatives),
    beatsVariance: max(0, sums.beats2 / positives - auc ** 2),
    losesVariance: max(0, sums.loses2 / negatives - auc ** 2),
  };
}

/** The scores of an entity are all alike. */
function aucTrial(classes: readonly [number, number], sizes: Sizes, scores: Scores, auc: number): Trial {
  const [size, from] = [SIZES[sizes], scores(auc)];
  const measure = (random: Random) => {
    const scored = [true, false].flatMap((positive) =>
      Array.from({ length: classes[positive ? 0 : 1] }, () => ({
        score: (positive ? from.positive : from.negative)(random),
        positive,
        m: size?.(random) ?? 1,
      })),
    );
    const pairs = scored.map(({ m }) => m);
    const [m2, largest] = [pairs.reduce((sum, m) => sum + m ** 2, 0), max(...pairs)];
    return rank(scored, (part) => nEffectiveOf(part, m2, largest));
  };
  return (random) => {
    const [a, b] = [measure(random), measure(random)];
    const [ofA, ofB] = [aucInterval(a), aucInterval(b)];
    return {
      'ROC AUC': holds(ofA, auc),
      'difference of ROC AUC': ofA && ofB && holds(differenceInterval(a.auc, ofA, b.auc, ofB), 0),
    };
  };
}

type Setting = { name: string; n: number; trial: Trial };

const sizes = Object.keys(SIZES);

function ofErrors({ entities }: Grid): Setting[] {
  return entities.flatMap((n) =>
    sizes.flatMap((size) =>
      Object.keys(ERRORS).map((kind) => ({
        name: `${kind}, ${size} of an entity`,
        n,
        trial: errorTrial(n, size, kind),
      })),
    ),
  );
}

function ofShares({ entities, shares }: Grid): Setting[] {
  return entities.flatMap((n) =>
    sizes.flatMap((size) =>
      (size === 'one' ? [1] : [0, 0.5, 1]).flatMap((alike) =>
        shares.map((p) => ({
          name: `p = ${p}, ${size} of an entity, alike ${alike}`,
          n,
          trial: shareTrial(n, size, p, alike),
        })),
      ),
    ),
  );
}

function ofRanking({ classes, aucs }: Grid): Setting[] {
  return classes.flatMap((against) =>
    sizes.flatMap((size) =>
      Object.entries(SCORES).flatMap(([kind, scores]) =>
        aucs.map((auc) => ({
          name: `AUC ${auc}, ${against.join(' against ')}, ${kind}, ${size} of an entity`,
          n: against[0] + against[1],
          trial: aucTrial(against, size, scores, auc),
        })),
      ),
    ),
  );
}

/** How often each interval held, of each setting; large samples are drawn less often, as `most` values are drawn at most. */
export function* coverages(grid: Grid, random: Random, draws: number, most: number): Generator<Coverage> {
  for (const { name, n, trial } of [ofErrors, ofShares, ofRanking].flatMap((settings) => settings(grid))) {
    const counts = repeat(trial, random, max(1, min(draws, floor(most / n))));
    for (const [interval, { held, draws: drawn }] of counts) {
      yield { interval, setting: name, n, held: held / drawn, draws: drawn };
    }
  }
}
