import { readFileSync } from 'node:fs';
import type { JsonRow } from '../../src/inference/json-rows.ts';

/** A model that test/models/make_arrays.py exported, and rows with what its framework said of them. */
export type ArrayModel = {
  readonly name: string;
  readonly task: string;
  /** Where float16 is added up in another order. */
  readonly tolerance?: number;
  /** The SQL type of each feature. */
  readonly types: Readonly<Record<string, string>>;
  readonly deploy?: Readonly<Record<string, unknown>>;
  readonly rows: readonly JsonRow[];
};

const FOLDER = new URL('../models/', import.meta.url);

const models = JSON.parse(readFileSync(new URL('arrays.json', FOLDER), 'utf8')) as ArrayModel[];

export const arrayModels = models.filter(({ task }) => task !== 'embedding');
export const vectorModels = models.filter(({ task }) => task === 'embedding');

export function arrayBytes({ name }: Pick<ArrayModel, 'name'>): Uint8Array {
  return readFileSync(new URL(`arrays/${name}.onnx`, FOLDER));
}

/** The features of a row, without what is expected. */
export function featuresOf({ types }: ArrayModel, row: JsonRow): JsonRow {
  return Object.fromEntries(Object.keys(types).map((name) => [name, row[name]]));
}
