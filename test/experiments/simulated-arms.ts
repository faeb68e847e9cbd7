import type { Random } from '../monitor/intervals/draws.ts';

const { log, max, min, sqrt } = Math;

/** What is seen of an arm against the champion by a metric on a day. */
export type Look = {
  experiment: number;
  metric: string;
  entities: number;
  other_entities: number;
  difference: number;
  standard_error: number | null;
  n_effective: number | null;
};

type Sums = { n: number; part: number; squares: number };
type Arm = { entities: number; pairs: Sums; byEntity: Map<number, Sums> };
type Setting = { accuracy: number; share: number; perDay: number; days: number };

const empty = (): Sums => ({ n: 0, part: 0, squares: 0 });

const emptyArm = (): Arm => ({ entities: 0, pairs: empty(), byEntity: new Map() });

const METRICS = ['accuracy', 'brier_score', 'log_loss'] as const;

/** What a prediction that is right or not adds to each metric. */
function adds(isRight: boolean, random: Random): readonly number[] {
  const sure = 0.5 + 0.5 * (1 - random() ** 3);
  const p = isRight ? sure : 1 - sure;
  return [isRight ? 1 : 0, (1 - p) ** 2, -log(p)];
}

function add(sums: Sums, value: number): void {
  sums.n += 1;
  sums.part += value;
  sums.squares += value * value;
}

/** Counts what a prediction adds; of entities that are judged again and again also by entity. */
function take(arm: Arm, entity: number | undefined, value: number): void {
  add(arm.pairs, value);
  if (entity !== undefined) {
    const sums = arm.byEntity.get(entity) ?? empty();
    add(sums, value);
    arm.byEntity.set(entity, sums);
  }
  arm.entities = entity === undefined ? arm.pairs.n : arm.byEntity.size;
}

/** The squares of how far entities are from the mean, added up, and those of predictions. */
function variance({ pairs, byEntity }: Arm): { clustered: number; spread: number } {
  const mean = pairs.part / pairs.n;
  const spread = pairs.squares - pairs.part * mean;
  let clustered = byEntity.size === 0 ? spread : 0;
  for (const { n, part } of byEntity.values()) clustered += (part - mean * n) ** 2;
  return { clustered, spread };
}

function look(experiment: number, metric: string, arm: Arm, other: Arm): Look {
  const [a, b] = [variance(arm), variance(other)];
  const all = arm.entities + other.entities;
  const own = ((a.clustered / arm.pairs.n ** 2 + b.clustered / other.pairs.n ** 2) * all) / (all - 1);
  const pooled = (a.clustered + b.clustered) / (arm.pairs.n * other.pairs.n);
  const squared = max(own, pooled);
  const pairs = arm.pairs.n + other.pairs.n;
  return {
    experiment,
    metric,
    entities: arm.entities,
    other_entities: other.entities,
    difference: arm.pairs.part / arm.pairs.n - other.pairs.part / other.pairs.n,
    standard_error: squared > 0 ? sqrt(squared) : null,
    n_effective: squared > 0 ? (4 * (a.spread + b.spread)) / pairs / squared : null,
  };
}

/** An experiment whose arms are alike, looked at every day. With `again` its entities are the same every day, each with its own luck. */
function experiment(number: number, setting: Setting, random: Random, again: boolean): Look[] {
  const found: Look[] = [];
  const luck = Array.from({ length: again ? 300 : 0 }, () => ({
    accuracy: random() < setting.accuracy ? 0.97 : 0.3,
    isArm: random() < setting.share,
  }));
  const arms = METRICS.map((metric) => ({ metric, arm: emptyArm(), other: emptyArm() }));
  const call = (): void => {
    const entity = Math.floor(random() * luck.length);
    const isArm = luck[entity]?.isArm ?? random() < setting.share;
    const values = adds(random() < (luck[entity]?.accuracy ?? setting.accuracy), random);
    for (const [index, { arm, other }] of arms.entries()) {
      take(isArm ? arm : other, again ? entity : undefined, values[index] ?? 0);
    }
  };
  for (let day = 0; day < setting.days; day += 1) {
    for (let n = 0; n < setting.perDay; n += 1) call();
    for (const { metric, arm, other } of arms) {
      if (min(arm.pairs.n, other.pairs.n) >= 2) found.push(look(number, metric, arm, other));
    }
  }
  return found;
}

/** Looks at so many experiments whose arms are alike: of models that are often right or seldom wrong, with equal or small arms. */
export function looks(random: Random, experiments: number, { again = false } = {}): Look[] {
  return Array.from({ length: experiments }, (_, number) =>
    experiment(
      number,
      {
        accuracy: [0.5, 0.8, 0.95, 0.99][number % 4] ?? 0,
        share: number % 8 < 4 && !again ? 0.1 : 0.5,
        perDay: again ? 60 : 80,
        days: 21,
      },
      random,
      again,
    ),
  ).flat();
}
