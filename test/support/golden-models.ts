import type { Task } from '../../src/inference/signature.ts';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { CheckOptions } from '../../src/check/options.ts';
import type { JsonRow } from '../../src/inference/json-rows.ts';

const FOLDER = new URL('../models/', import.meta.url).pathname;

type SqlOptions = {
  features?: string[];
  nulls?: 'auto' | 'error' | 'nan';
  task?: Task;
  class_labels?: string[];
  targets?: string[];
  positive_class?: string;
};

type Column = { name: string; type: string };

/** One model of test/models/models.json. */
export type GoldenModel = {
  name: string;
  file: string;
  rows: string;
  task: string;
  key: Column;
  features: Column[];
  class_labels: string[];
  deploy: SqlOptions;
};

export const goldenModels: GoldenModel[] = (
  JSON.parse(readFileSync(join(FOLDER, 'models.json'), 'utf8')) as { models: GoldenModel[] }
).models;

/** @throws Error where models.json has no such model */
export function goldenModel(name: string): GoldenModel {
  const found = goldenModels.find((model) => model.name === name);
  if (found === undefined) throw new Error(`${name} is not in models.json`);
  return found;
}

export function goldenBytes({ file }: GoldenModel): Uint8Array {
  return readFileSync(join(FOLDER, file));
}

/** A file that lies beside the model. */
export async function besideGolden({ file }: GoldenModel, name: string): Promise<Uint8Array> {
  return readFileSync(join(FOLDER, dirname(file), name));
}

/** The features and the framework's predictions, as a CSV file gives them: every cell a text. */
export function goldenRows({ rows }: GoldenModel): JsonRow[] {
  const [head = '', ...lines] = gunzipSync(readFileSync(join(FOLDER, rows)))
    .toString('utf8')
    .trim()
    .split(/\r?\n/);
  const names = head.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    return Object.fromEntries(names.map((name, index) => [name, cells[index]]));
  });
}

export function deployOptions({ task, nulls, features, targets, ...named }: SqlOptions): CheckOptions {
  return { task, nulls, features, targets, classLabels: named.class_labels, positiveClass: named.positive_class };
}

/** One file of test/models/hostile/hostile.json. */
export type HostileModel = {
  file: string;
  wrong: string;
  outcome: 'refused' | 'usable' | 'refused_without_options';
  options?: SqlOptions;
};

export const hostileModels: HostileModel[] = Object.entries(
  JSON.parse(readFileSync(join(FOLDER, 'hostile/hostile.json'), 'utf8')) as Record<string, Omit<HostileModel, 'file'>>,
).map(([file, facts]) => ({ file, ...facts }));

export function hostileBytes(file: string): Uint8Array {
  return readFileSync(join(FOLDER, 'hostile', file));
}
