import { AUCS, ERRORS, SCORES, SIZES, type Random, type Scores } from './draws.ts';
import {
  aucError,
  aucInterval,
  differenceInterval,
  maeInterval,
  nEffective,
  leastNEffective,
  rmseInterval,
  shareInterval,
  type Interval,
  type Value,
} from './formulas.ts';
import { rank, type Scored } from './ranking.ts';

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

/** With what chance two versions that are as good say the same of an entity; else what one says is drawn anew. */
const SAME = [0, 0.9];

type Counted = { m: number; c: number };

function shareValue(entities: readonly Counted[]): Value & { pairs2: number } {
  const sums = { n: 0, hits: 0, m2: 0, cm: 0, c2: 0 };
  for (const { m, c } of entities) {
    sums.n += m;
    sums.hits += c;
    sums.m2 += m ** 2;
    sums.cm += c * m;
    sums.c2 += c ** 2;
  }
  const { n, hits, m2 } = sums;
  const effective = nEffective(n, hits, sums);
  const added = entities.map(({ m, c }) => c - (hits / n) * m);
  return { value: hits / n, interval: shareInterval(hits, n, effective), nEffective: effective, added, pairs2: m2 - n };
}

/** Of the entities that were called positive, say. */
function partValue(entities: readonly Counted[], said: readonly boolean[], pairs2: number): Value {
  const part = entities.filter((_, index) => said[index]);
  const [n, hits] = part.reduce(([pairs, right], { m, c }) => [pairs + m, right + c], [0, 0]);
  if (n === 0) return { value: 0, interval: null, nEffective: 0, added: [] };
  const effective = leastNEffective(n, pairs2);
  const added = entities.map(({ m, c }, index) => (said[index] === true ? c - (hits / n) * m : 0));
  return { value: hits / n, interval: shareInterval(hits, n, effective), nEffective: effective, added };
}

/** Every pair of a share: an entity's outcomes are all alike with that chance, else each is drawn anew. */
function shareTrial(entities: number, sizes: Sizes, p: number, alike: number): Trial {
  const size = SIZES[sizes];
  return (random) => {
    const drawn = (m: number, chance: number): number => {
      let c = 0;
      for (let pair = 0; pair < m; pair += 1) c += Number(random() < chance);
      return c;
    };
    const outcomes = (m: number): Counted =>
      random() < alike ? { m, c: random() < p ? m : 0 } : { m, c: drawn(m, p) };
    const whole = Array.from({ length: entities }, () => outcomes(size?.(random) ?? 1));
    const value = shareValue(whole);
    const call = (): boolean => random() < 0.5;
    const said = whole.map(call);
    const part = partValue(whole, said, value.pairs2);
    const held: ReturnType<Trial> = {
      accuracy: holds(value.interval, p),
      'precision, recall, F1': holds(part.interval, p),
    };
    for (const same of SAME) {
      const other = whole.map((one) => (random() < same ? one : outcomes(one.m)));
      held[`difference of accuracy, ${same} the same`] = holds(differenceInterval(value, shareValue(other)), 0);
      const otherPart = partValue(
        whole,
        said.map((one) => (random() < same ? one : call())),
        value.pairs2,
      );
      held[`difference of precision, ${same} the same`] = holds(differenceInterval(part, otherPart), 0);
    }
    const worse = whole.map(({ m, c }) => ({ m, c: random() < alike ? Number(random() < 0.9) * c : drawn(c, 0.9) }));
    held['difference of accuracy, one worse'] = holds(differenceInterval(value, shareValue(worse)), p / 10);
    return held;
  };
}

type Erring = { m: number; error: number };

function meanValue(entities: readonly Erring[], power: 1 | 2): Value {
  const sums = { n: 0, m2: 0, total: 0, squares: 0 };
  for (const { m, error } of entities) {
    sums.n += m;
    sums.m2 += m ** 2;
    sums.total += m * error ** power;
    sums.squares += m * error ** (2 * power);
  }
  const { n, m2, total, squares } = sums;
  const [mean, effective] = [total / n, n ** 2 / m2];
  return {
    value: power === 1 ? mean : sqrt(mean),
    interval: (power === 1 ? maeInterval : rmseInterval)(n, total, squares, effective),
    nEffective: effective,
    added: entities.map(({ m, error }) => m * (error ** power - mean)),
  };
}

/** The errors of an entity are all alike. */
function errorTrial(entities: number, sizes: Sizes, kind: keyof typeof ERRORS): Trial {
  const [size, errors] = [SIZES[sizes], ERRORS[kind]];
  if (errors === undefined) throw new Error(`there are no errors like ${kind}`);
  return (random) => {
    const draw = (m: number): Erring => ({ m, error: abs(errors.draw(random)) });
    const drawn = Array.from({ length: entities }, () => draw(size?.(random) ?? 1));
    const [mae, rmse] = [meanValue(drawn, 1), meanValue(drawn, 2)];
    const held: ReturnType<Trial> = { MAE: holds(mae.interval, errors.mae), RMSE: holds(rmse.interval, errors.rmse) };
    for (const same of SAME) {
      const other = drawn.map((one) => (random() < same ? one : draw(one.m)));
      held[`difference of MAE, ${same} the same`] = holds(differenceInterval(mae, meanValue(other, 1)), 0);
      held[`difference of RMSE, ${same} the same`] = holds(differenceInterval(rmse, meanValue(other, 2)), 0);
    }
    return held;
  };
}

/** By the pairs of each entity in its class, as a comparison has them. */
function rankingValue(scored: readonly Scored[]): Value {
  const m2 = (of: boolean): number => scored.reduce((sum, { positive, m }) => sum + (positive === of ? m ** 2 : 0), 0);
  const ranking = rank(scored, (part, positive) => part ** 2 / m2(positive));
  const { auc, positives, negatives, added } = ranking;
  const [interval, standardError] = [aucInterval(ranking), aucError(ranking)];
  return { value: auc, interval, standardError, nEffective: positives + negatives, added };
}

/** The scores of an entity are all alike. */
function aucTrial(classes: readonly [number, number], sizes: Sizes, scores: Scores, auc: number): Trial {
  const [size, from] = [SIZES[sizes], scores(auc)];
  return (random) => {
    const draw = (positive: boolean, m: number): Scored => ({
      score: (positive ? from.positive : from.negative)(random),
      positive,
      m,
    });
    const drawn = [true, false].flatMap((positive) =>
      Array.from({ length: classes[positive ? 0 : 1] }, () => draw(positive, size?.(random) ?? 1)),
    );
    const pairs2 = drawn.reduce((sum, { m }) => sum + m ** 2 - m, 0);
    const interval = aucInterval(rank(drawn, (part) => leastNEffective(part, pairs2)));
    const held: ReturnType<Trial> = { 'ROC AUC': holds(interval, auc) };
    const value = rankingValue(drawn);
    for (const same of SAME) {
      const other = drawn.map((one) => (random() < same ? one : draw(one.positive, one.m)));
      held[`difference of ROC AUC, ${same} the same`] = holds(differenceInterval(value, rankingValue(other)), 0);
    }
    return held;
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

export function settingsOf(grid: Grid): Setting[] {
  return [ofErrors, ofShares, ofRanking].flatMap((settings) => settings(grid));
}

/** How often each interval held, of each setting; large samples are drawn less often, as `most` values are drawn at most. */
export function* coverages(
  settings: readonly Setting[],
  random: Random,
  draws: number,
  most: number,
): Generator<Coverage> {
  for (const { name, n, trial } of settings) {
    const counts = repeat(trial, random, max(1, min(draws, floor(most / n))));
    for (const [interval, { held, draws: drawn }] of counts) {
      yield { interval, setting: name, n, held: held / drawn, draws: drawn };
    }
  }
}
