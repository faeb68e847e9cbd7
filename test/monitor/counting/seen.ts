import type { Client } from 'pg';

import { type Grain } from './local-windows.ts';
import { type Counted, keyOf } from './reference.ts';
import { type Task, TRUTHS, type Watched } from './watched.ts';

/** The numbers of a window, by name. */
type Numbers = Readonly<Record<string, number | boolean | string | null>>;
/** Windows by version, first day and segment. */
export type Windows = Readonly<Record<string, Numbers>>;

const SUFFIXES = { day: 'daily', week: 'weekly', month: 'monthly' } as const;
const COUNTS =
  'n_predictions, n_labeled, n_awaiting, n_superseded, label_coverage, is_mature, n_effective, undefined_reason';
const TRUE: Readonly<Record<Task, string>> = {
  binary: 'true_positives, false_positives, false_negatives, true_negatives, accuracy',
  multiclass: 'accuracy',
  regression: 'mae, bias, rmse',
};

/** What a performance view says of a model. */
export async function seenIn(analyst: Client, model: Watched, grain: Grain): Promise<Windows> {
  const read = `select model_version, window_date::text as window, segment_key, segment_value, ${COUNTS}, ${TRUE[model.task]}
    from pgscore_bi.${model.task}_performance_${SUFFIXES[grain]} where model_name = $1`;
  const { rows } = await analyst.query<Record<string, string | number | boolean | null>>(read, [model.name]);
  return byWindow(
    rows.map(({ model_version, window, segment_key, segment_value, ...numbers }) => [
      keyOf({
        version: Number(model_version),
        window: String(window),
        segment: segment_key === null ? null : [String(segment_key), String(segment_value)],
      }),
      asNumbers(numbers),
    ]),
  );
}

/** What the view has to say by the reference. */
export function expectedOf(task: Task, counted: readonly Counted[]): Windows {
  return byWindow(counted.map((each) => [keyOf(each), { ...countsOf(each), ...truthOf(task, each) }]));
}

function countsOf(counted: Counted): Numbers {
  const { nLabeled, nAwaiting } = counted;
  const reason = nLabeled > 0 ? null : nAwaiting > 0 ? 'no_labels' : 'superseded';
  return {
    n_predictions: counted.nPredictions,
    n_labeled: nLabeled,
    n_awaiting: nAwaiting,
    n_superseded: counted.nSuperseded,
    label_coverage: rounded(counted.labelCoverage),
    is_mature: counted.isMature,
    n_effective: rounded(nLabeled === 0 ? 0 : counted.nEffective),
    undefined_reason: reason,
  };
}

function truthOf(task: Task, { outcomes, hits, nLabeled, ...sums }: Counted): Numbers {
  const of = (total: number): number | null => (nLabeled === 0 ? null : rounded(total / nLabeled));
  if (task === 'multiclass') return { accuracy: of(hits) };
  if (task === 'regression') {
    const meanSquare = nLabeled === 0 ? null : rounded(Math.sqrt(sums.sumSquaredError / nLabeled));
    return { mae: of(sums.sumAbsError), bias: of(sums.sumError), rmse: meanSquare };
  }
  const [no = '', yes = ''] = TRUTHS.binary;
  const of2 = (label: string, truth: string): number => outcomes.get(`${label} ${truth}`) ?? 0;
  return {
    true_positives: of2(yes, yes),
    false_positives: of2(yes, no),
    false_negatives: of2(no, yes),
    true_negatives: of2(no, no),
    accuracy: of(hits),
  };
}

/** Numbers come as text where they may be large. Of reasons only those of a window without a label are looked at. */
function asNumbers(row: Record<string, string | number | boolean | null>): Numbers {
  const isLabeled = Number(row.n_labeled) > 0;
  const entries = Object.entries(row).map(([name, value]) => {
    if (name === 'n_effective') return [name, rounded(Number(value ?? 0))];
    if (name === 'undefined_reason') return [name, isLabeled ? null : value];
    if (name.includes('_positives') || name.includes('_negatives')) return [name, Number(value ?? 0)];
    return [name, typeof value === 'boolean' || value === null ? value : rounded(Number(value))];
  });
  return Object.fromEntries(entries) as Numbers;
}

function rounded(value: number | null): number | null {
  // Jest tells -0 from 0.
  return value === null ? null : Math.round(value * 1e9) / 1e9 + 0;
}

function byWindow(windows: readonly (readonly [key: string, numbers: Numbers])[]): Windows {
  return Object.fromEntries(windows.toSorted(([a], [b]) => a.localeCompare(b)));
}
