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

/** The pairs by the rule, the slow way: a label judges the last place that is not after it, and a place is judged by the last of its labels. */
export function pairsOf({ predictions, labels }: World): string[] {
  const pairs: string[] = [];
  for (const id of new Set(predictions.map((prediction) => prediction.id))) {
    const own = predictions.filter((prediction) => prediction.id === id);
    const times = [...new Set(own.map(({ at }) => at))].toSorted();
    for (const [index, at] of times.entries()) {
      const next = times[index + 1];
      const judges = [...labels.values()]
        .filter((label) => label.id === id && label.knownAt >= at && (next === undefined || label.knownAt < next))
        .toSorted((a, b) => a.knownAt.localeCompare(b.knownAt));
      const [first, last] = [judges[0], judges.at(-1)];
      if (first === undefined || last === undefined) continue;
      const made = own.filter((prediction) => prediction.at === at);
      pairs.push(pairOf(standing(made, first.knownAt), last.label));
    }
  }
  return pairs.toSorted();
}

function pairOf(prediction: Prediction, label: string): string {
  const { id, run, score, segments } = prediction;
  const said = prediction.label ?? null;
  const pair = [id, run, label, said, score, rankOf(prediction, label), ...namesOf(segments)];
  return pair.filter((part) => part !== null).join(' ');
}

/** Of the predictions of a place the last one made not after its truth was first known, else the first made. */
function standing(made: readonly Prediction[], firstKnownAt: string): Prediction {
  const ordered = made.toSorted((a, b) => madeAt(a).localeCompare(madeAt(b)) || numberOf(a) - numberOf(b));
  const stands = ordered.findLast((prediction) => madeAt(prediction) <= firstKnownAt) ?? ordered[0];
  if (stands === undefined) throw new Error('a place has a prediction');
  return stands;
}

/** Runs are made now, which is after every label; a call, whose number is negative, when it is asked. */
function madeAt({ run, at }: Prediction): string {
  return Number(run) < 0 ? at : '9999';
}

function numberOf({ run }: Prediction): number {
  return Math.abs(Number(run));
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
