import { type Cluster, effectiveFrom, kishOf, sumsOf } from './effective.ts';
import { type Judged, judgeAll } from './judge.ts';
import { type Grain, windowOf } from './local-windows.ts';
import { groupedBy, type RawRecord, type Settings } from './record.ts';

/** The numbers of one version, window and segment. */
export type Counted = {
  readonly version: number;
  /** First local day of the window. */
  readonly window: string;
  /** Column and value; null: all predictions. */
  readonly segment: readonly [column: string, value: string] | null;
  readonly nPredictions: number;
  readonly nLabeled: number;
  readonly nAwaiting: number;
  readonly nSuperseded: number;
  readonly labelCoverage: number | null;
  readonly isMature: boolean;
  /** What was said and what was true, with how often. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly hits: number;
  readonly sumError: number;
  readonly sumAbsError: number;
  readonly sumSquaredError: number;
  /** Entities with a label in the window, and how many pairs they are worth. */
  readonly nEntities: number;
  readonly kish: number;
  readonly nEffective: number;
};

/** Counts a record as it is at a moment, window by window. */
export function count(record: RawRecord, settings: Settings, grain: Grain, now: number): Counted[] {
  return countJudged(judgeAll(record, settings, now), settings, grain);
}

export function countJudged(judged: readonly Judged[], settings: Settings, grain: Grain): Counted[] {
  const sliced = judged.flatMap((each) => slicesOf(each).map((segment) => ({ each, segment })));
  const groups = groupedBy(sliced, ({ each: { prediction }, segment }) =>
    JSON.stringify([prediction.version, windowOf(prediction.at, grain, settings.timeZone), segment]),
  );
  const counted = [...groups].map(([key, group]) => {
    const [version, window, segment] = JSON.parse(key) as [number, string, Counted['segment']];
    return {
      version,
      window,
      segment,
      ...numbersOf(
        group.map(({ each }) => each),
        settings,
      ),
    };
  });
  return counted.toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)));
}

export function keyOf({ version, window, segment }: Pick<Counted, 'version' | 'window' | 'segment'>): string {
  return [version, window, ...(segment ?? [])].join(' ');
}

/** Every prediction is in the slice of all, and in one of each segment column of its run. */
function slicesOf({ prediction }: Judged): Counted['segment'][] {
  const columns = Object.entries(prediction.segments ?? {});
  return [null, ...columns.map(([column, value]): [string, string] => [column, value ?? ':missing'])];
}

function numbersOf(judged: readonly Judged[], { minLabelCoverage }: Settings) {
  const labeled = judged.filter((each) => each.state === 'labeled');
  const nAwaiting = judged.filter(({ state }) => state === 'awaiting').length;
  const nLabeled = labeled.length;
  const labelCoverage = nLabeled + nAwaiting === 0 ? null : nLabeled / (nLabeled + nAwaiting);
  return {
    nPredictions: judged.length,
    nLabeled,
    nAwaiting,
    nSuperseded: judged.length - nLabeled - nAwaiting,
    labelCoverage,
    isMature: nLabeled > 0 && labelCoverage !== null && labelCoverage >= minLabelCoverage,
    ...truthsOf(labeled),
  };
}

function truthsOf(labeled: readonly Extract<Judged, { state: 'labeled' }>[]) {
  const outcomes = new Map<string, number>();
  const errors: number[] = [];
  for (const { prediction, truth } of labeled) {
    if (prediction.label === null) errors.push(prediction.score - Number(truth));
    const outcome = `${prediction.label} ${truth}`;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  const clusters = [...groupedBy(labeled, ({ prediction }) => prediction.entity).values()].map((pairs): Cluster => ({
    pairs: pairs.length,
    hits: pairs.filter(({ prediction, truth }) => prediction.label === truth).length,
  }));
  const sums = sumsOf(clusters);
  return {
    outcomes,
    hits: sums.hits,
    sumError: errors.reduce((total, error) => total + error, 0),
    sumAbsError: errors.reduce((total, error) => total + Math.abs(error), 0),
    sumSquaredError: errors.reduce((total, error) => total + error ** 2, 0),
    nEntities: sums.nEntities,
    kish: kishOf(sums),
    nEffective: effectiveFrom(sums),
  };
}
