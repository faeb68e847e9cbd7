/** Seeded numbers of the distributions that the intervals are tried on. */
import type { Random } from '../../../src/lib/random.ts';

export { mulberry32 as seeded, type Random } from '../../../src/lib/random.ts';

// Once: a global takes a hundred times as long in Jest's sandbox.
const { cos, exp, floor, hypot, log, PI, sqrt } = Math;

export function normal(random: Random): number {
  return sqrt(-2 * log(1 - random())) * cos(2 * PI * random());
}

function exponential(random: Random): number {
  return -log(1 - random());
}

function t3(random: Random): number {
  return normal(random) / sqrt((normal(random) ** 2 + normal(random) ** 2 + normal(random) ** 2) / 3);
}

export type Errors = { draw: (random: Random) => number; mae: number; rmse: number };

/** Errors of a regression, with what MAE and RMSE tend to. */
export const ERRORS: Record<string, Errors> = {
  normal: { draw: normal, mae: sqrt(2 / PI), rmse: 1 },
  t3: { draw: t3, mae: (2 * sqrt(3)) / PI, rmse: sqrt(3) },
  lognormal: { draw: (random) => exp(normal(random)), mae: exp(0.5), rmse: Math.E },
  'centred lognormal': {
    draw: (random) => exp(normal(random)) - exp(0.5),
    // 2 e^0.5 (2 Phi(0.5) - 1)
    mae: 2 * exp(0.5) * 0.3829249225480262,
    rmse: sqrt((Math.E - 1) * Math.E),
  },
};

/** How many pairs an entity has. */
export const SIZES: Record<string, (random: Random) => number> = {
  one: () => 1,
  four: () => 4,
  'one to thirty': (random) => floor(31 ** random()),
};

/** AUCs, with the quantile of the normal distribution at each. */
const AREAS = new Map([
  [0.5, 0],
  [0.7, 0.5244005127080407],
  [0.9, 1.2815515655446004],
  [0.97, 1.8807936081512509],
  [0.99, 2.3263478740408408],
  [0.998, 2.8781617390954826],
]);
export const AUCS = [...AREAS.keys()];

/** Scores of positives and negatives with a given AUC. */
export type Scores = (auc: number) => { positive: (random: Random) => number; negative: (random: Random) => number };

function binormal(spread: number): Scores {
  return (auc) => {
    const mean = (AREAS.get(auc) ?? Number.NaN) * hypot(1, spread);
    return { positive: (random) => mean + spread * normal(random), negative: normal };
  };
}

export const SCORES: Record<string, Scores> = {
  'spread alike': binormal(1),
  'positives spread': binormal(2),
  'negatives spread': binormal(0.5),
  exponential: (auc) => ({ positive: (random) => (exponential(random) * auc) / (1 - auc), negative: exponential }),
  // Some positives look like negatives, all others are apart from them.
  'some hidden': (auc) => ({
    positive: (random) => normal(random) + (random() < 2 * (1 - auc) ? 0 : 20),
    negative: normal,
  }),
};
