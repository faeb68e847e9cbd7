import type { MonitoredModel, MonitoredPrediction } from './monitored-model.ts';

export type Task = 'binary' | 'multiclass' | 'regression';
type Prediction = MonitoredPrediction & { run: string };
type Label = { id: number; knownAt: string; label: string };

/** What the test knows to be true: every prediction that was made, and every label that is known. */
export type World = {
  task: Task;
  model: MonitoredModel;
  table: string;
  /** Columns that predictions are split by. */
  segments: readonly string[];
  predictions: Prediction[];
  labels: Map<string, Label>;
};

/** The pairs by the rule, the slow way: a label judges the last prediction that was for a time not after it; of several the last one counts. */
export function pairsOf({ predictions, labels }: World): string[] {
  const pairs: string[] = [];
  const ordered = predictions.toSorted((a, b) => a.at.localeCompare(b.at) || numberOf(a) - numberOf(b));
  for (const [index, prediction] of ordered.entries()) {
    const next = ordered.slice(index + 1).find((later) => later.id === prediction.id);
    const [label] = [...labels.values()]
      .filter(
        ({ id, knownAt }) =>
          id === prediction.id && knownAt >= prediction.at && (next === undefined || knownAt < next.at),
      )
      .toSorted((a, b) => b.knownAt.localeCompare(a.knownAt));
    if (label === undefined) continue;
    const { id, run, score, segments } = prediction;
    const said = prediction.label ?? null;
    const pair = [id, run, label.label, said, score, rankOf(prediction, label.label), ...namesOf(segments)];
    pairs.push(pair.filter((part) => part !== null).join(' '));
  }
  return pairs.toSorted();
}

/** Those of calls are negative; a run and a call of the same number and time are in the order of a call and a run. */
function numberOf({ run }: Prediction): number {
  return Math.abs(Number(run)) + (Number(run) > 0 ? 0.5 : 0);
}

/** Place of a class by probability; of equal ones the later class comes first. */
function rankOf({ probabilities }: Prediction, label: string): number | null {
  if (probabilities === undefined) return null;
  const order = ['a', 'b', 'c'].map((name, place) => ({ name, place, p: probabilities[place] ?? 0 }));
  return order.toSorted((a, b) => b.p - a.p || b.place - a.place).findIndex(({ name }) => name === label) + 1;
}

function namesOf(segments: Prediction['segments']): string[] {
  return (segments ?? []).map((value) => value ?? ':missing');
}

/** How many predictions each day has, of all and of each segment: day, column, value, number. */
export function volumesOf({ predictions, segments: columns }: World): string[] {
  const volumes = new Map<string, number>();
  for (const { at, segments } of predictions) {
    const slices = namesOf(segments).map((value, place) => ` ${columns[place] ?? ''} ${value}`);
    for (const slice of ['', ...slices]) {
      const key = at.slice(0, 10) + slice;
      volumes.set(key, (volumes.get(key) ?? 0) + 1);
    }
  }
  return [...volumes].map(([key, n]) => `${key} ${n}`).toSorted();
}
