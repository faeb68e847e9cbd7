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
