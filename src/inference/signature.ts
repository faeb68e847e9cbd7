import type { TensorType } from '../onnx/value-info.ts';

export type { TensorType } from '../onnx/value-info.ts';

export type Task = 'binary' | 'multiclass' | 'regression';

/** One column that the model wants, found in the source by its name. */
export type Feature = {
  /** As the training framework knew it. */
  name: string;
  /** The ONNX input that it feeds. */
  input: string;
  /** Column inside of that input's matrix. */
  position: number;
  type: TensorType;
  /** 1 is a scalar column; more is an array column (real[], float8[], vector) of so many elements. */
  width: number;
  /** What a NULL, or a NaN in a float column, becomes. */
  nulls: 'nan' | 'error' | 'default';
  default?: number | string | boolean | undefined;
};

export type ModelInput = {
  name: string;
  type: TensorType;
  /** Columns of the matrix: the product of the dimensions after the first. */
  width: number;
  /** null stands for the rows. */
  shape: (number | null)[];
};

/** What a version takes and gives, as its probe saw it. Stored with the version; SQL reads it too. */
export type Signature = {
  task: Task;
  inputs: ModelInput[];
  /** In the order of the inputs, then of the position. */
  features: Feature[];
  outputs: {
    label?: { name: string; type: TensorType };
    probabilities?: { name: string; width: number };
    value?: { name: string };
  };
  /** In the order of the probability columns; none for a regression. */
  classLabels: string[];
  /** What makes probabilities of the logits that the model returned as deployed; the served graph ends in it. */
  activation?: 'sigmoid' | 'softmax';
  /** For binary models. */
  positiveClass?: string;
  /** As the deployer gave it: a row is positive where P(positiveClass) >= threshold. Without it the label is the model's own. */
  threshold?: number;
  /** null: any number of rows at a time. A number: exactly so many, short batches are padded. */
  batch: number | null;
};

export function isFloat(type: TensorType): boolean {
  return type === 'float32' || type === 'float64';
}

const MOST_WATCHED = 200;

/** A feature that the monitor watches: its place in the signature, from 1, and whether it is counted as a number. */
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
