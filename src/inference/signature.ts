import type { NarrowType, TensorType } from '../onnx/value-info.ts';

export type { NarrowType, TensorType } from '../onnx/value-info.ts';

/** What a row has by the task of its model, as pgscore_data._prediction_columns() has it: the score of quantiles is the middle one. */
export const GIVES = {
  binary: { score: true, label: true, values: false },
  multiclass: { score: true, label: true, values: false },
  regression: { score: true, label: false, values: false },
  multi_target: { score: false, label: false, values: true },
  multilabel: { score: false, label: false, values: true },
  quantiles: { score: true, label: false, values: true },
  embedding: { score: false, label: false, values: true },
} as const;

export type Task = keyof typeof GIVES;

/** Tasks of a model that gives several values a row. */
export type ValueTask = { [T in Task]: (typeof GIVES)[T]['values'] extends true ? T : never }[Task];

export function isValueTask(task: string): task is ValueTask {
  return Object.hasOwn(GIVES, task) && GIVES[task as Task].values;
}

/** What a model is that learns from no labels. */
export type Kind = 'clustering' | 'anomaly';

/** Numbers of a model that says labels, which are no probabilities. */
export type Margins = {
  name: string;
  width: number;
  /** margin: a decision score; distance: to the centre of each cluster; share: of each component of a mixture; anomaly: how odd a row is. */
  unit: 'margin' | 'distance' | 'share' | 'anomaly';
  /** Of two classes: which column is that of the positive class, and the sign by which it is larger for positive rows. */
  column?: number;
  sign?: 1 | -1;
};

/** One column that the model wants, found in the source by its name. */
export type Feature = {
  /** As the training framework knew it. */
  name: string;
  /** The ONNX input that it feeds. */
  input: string;
  /** Column inside of that input's matrix. */
  position: number;
  type: TensorType;
  /** What the graph declares, where it is fed by way of a wider type. */
  element?: NarrowType;
  /** 1 is a scalar column; more is an array column of so many elements; 0 is one of any length. */
  width: number;
  /** Of an array of any length or of several dimensions: their sizes, null for any. */
  shape?: (number | null)[];
  /** What a NULL, or a NaN in a float column, becomes. */
  nulls: 'nan' | 'error' | 'default';
  default?: number | string | boolean | undefined;
};

export type ModelInput = {
  name: string;
  type: TensorType;
  element?: NarrowType;
  /** Columns of the matrix: the product of the dimensions after the first; 0 for any number. */
  width: number;
  /** null stands for the rows; of width 0, a second one for the dimension that is open. */
  shape: (number | null)[];
};

/** An output that holds several values a row. `layers`: it has so many matrices one behind the other, one for each label, [layers, rows, width]. */
export type ValueOutput = { readonly name: string; readonly width: number; readonly layers?: number };

/** What a version takes and gives, as its probe saw it. Stored with the version; SQL reads it too. */
export type Signature = {
  task: Task;
  /** How the task is called where it is neither a classification nor a regression. */
  kind?: Kind;
  inputs: ModelInput[];
  /** In the order of the inputs, then of the position. */
  features: Feature[];
  outputs: {
    label?: { name: string; type: TensorType };
    probabilities?: { name: string; width: number };
    value?: { name: string };
    /** Those that hold several values a row: each has `width` of them, in the order of valueNames. */
    values?: readonly ValueOutput[];
    margins?: Margins;
  };
  /** Of a model with several values a row: its targets, labels or quantiles; none of an embedding. */
  valueNames?: readonly string[];
  /** Of quantiles: the index of the one that is the score. */
  scoreValue?: number;
  /** In the order of the probability columns; none for a regression, and where there are valueNames. */
  classLabels: string[];
  /** What makes probabilities of the logits that the model returned as deployed; the served graph ends in it. */
  activation?: 'sigmoid' | 'softmax';
  /** For binary models. */
  positiveClass?: string;
  /** As the deployer gave it: a class or a label is predicted where its probability >= threshold. Without it labels are the model's own. */
  threshold?: number;
  /** Of more than two classes: the model's label need not be the most probable class, as that of a vector machine. */
  ownLabel?: true;
  /** null: any number of rows at a time. A number: exactly so many, short batches are padded. */
  batch: number | null;
};

/** How many values a row has. Of a multilabel model: the probability of each label, NaN where it gives none, then each label as 0 or 1. */
export function valuesWidth({ task, valueNames = [], outputs }: Signature): number {
  if (task === 'embedding') return outputs.values?.[0]?.width ?? 0;
  return valueNames.length * (task === 'multilabel' ? 2 : 1);
}

/** Whether a version's labels are those that the model returns beside its probabilities. */
export function hasOwnLabel({ task, outputs, threshold, ownLabel }: Signature): boolean {
  if (outputs.label === undefined) return false;
  if (task === 'multiclass') return ownLabel === true;
  return (task === 'binary' || task === 'multilabel') && threshold === undefined;
}

export function isFloat(type: TensorType): boolean {
  return type === 'float32' || type === 'float64';
}

/** Elements of an array of any length come in multiples of this. */
export function stepOf(shape: readonly (number | null)[]): number {
  return shape.reduce<number>((product, size) => product * (size ?? 1), 1);
}

/** What an array feature is to be, in words. */
export function arrayInWords({ type, width, shape = [width || null] }: Omit<Feature, 'nulls'>): string {
  const sizes = width === 0 && shape.length === 1 ? '' : `${shape.map((size) => size ?? 'any').join(' x ')} `;
  return `an array of ${sizes}${type === 'string' ? 'texts' : 'numbers'}`;
}

const MOST_WATCHED = 200;

/** A feature that the monitor watches: its position in the signature, from 1, and whether it is counted as a number. */
export type Watched = { readonly feature: number; readonly name: string; readonly kind: 'number' | 'category' };

/** The features of a version that are watched, as pgscore_data._watched() has them: the first 200 that are no arrays. */
export function watchedFeatures(features: readonly Feature[]): Watched[] {
  return features
    .map(({ name, type, width }, index) => ({ feature: index + 1, name, kind: kindOf(type), width }))
    .filter(({ width }) => width === 1)
    .slice(0, MOST_WATCHED)
    .map(({ feature, name, kind }) => ({ feature, name, kind }));
}

function kindOf(type: Feature['type']): Watched['kind'] {
  return type === 'string' || type === 'bool' ? 'category' : 'number';
}
