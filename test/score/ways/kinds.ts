import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Client } from 'pg';
import type { JsonRow } from '../../../src/inference/json-rows.ts';
import { outputCase } from '../../models/output-kinds.ts';
import { arrayBytes, arrayModels, vectorModels } from '../../support/array-models.ts';
import { deployBytes } from '../../support/deploy.ts';
import { goldenBytes, goldenModel, goldenRows } from '../../support/golden-models.ts';
import { TEXTS, weightedModel } from '../../support/weighted-model.ts';

/** A model of the fixtures, and rows that it is at home with. */
export type Kind = {
  readonly name: string;
  readonly bytes: () => Uint8Array;
  readonly options: Readonly<Record<string, unknown>>;
  readonly rows: readonly JsonRow[];
  /** How far numbers may be apart: 0 of a weighted model, which only adds doubles up. */
  readonly tolerance: number;
  /** Whether far numbers have other digits in float32, so that they are left out. */
  readonly isTame: boolean;
};

/** What pgscore says of a version that is ready. */
export type Deployed = {
  readonly features: readonly { readonly name: string; readonly tensor: string }[];
  readonly task: string;
  readonly isNative: boolean;
};

const TOLERANCE = 1e-5;
const GOLDEN_TREES = ['xgboost', 'lightgbm', 'catboost', 'hist_gradient_boosting', 'random_forest', 'tied_forest'];
const GOLDEN_SUMS = ['arrival_delay', 'typed_inputs', 'air_time_january', 'logistic_pipeline', 'iris_multiclass'];
const OUTPUTS = [
  'torch_logit',
  'torch_log_softmax',
  'raw_logistic_3',
  'svc_2',
  'sgd_hinge_3',
  'ridge_2',
  'kmeans',
  'mixture',
  'isolation_forest',
  'one_class_svm',
];

/** Numbers of every type, and a text, each with a weight of its own. */
const WEIGHTED_ROWS: readonly JsonRow[] = Object.keys(TEXTS).map((word, at) => ({
  a: at + 0.5,
  b: at / 3,
  n: at * 1000,
  i: at - 2,
  flag: at % 2 === 0,
  word,
  v: [at, 2, 0.5],
  m: [
    [1, 2, 3],
    [at, 5, 6],
  ],
}));

export function allKinds(): readonly Kind[] {
  const exact = { options: {}, rows: WEIGHTED_ROWS, tolerance: 0, isTame: false };
  return [
    {
      ...exact,
      name: 'weighted',
      bytes: () => weightedModel({ a: 'float32', b: 'float64', n: 'int64', i: 'int32', flag: 'bool', word: 'string' }),
    },
    {
      ...exact,
      name: 'weighted_arrays',
      bytes: () => weightedModel({ v: 3, a: 'float32', m: [2, 3], n: 'int64' }),
      tolerance: TOLERANCE,
      isTame: true,
    },
    ...GOLDEN_TREES.map((name) => golden(name, false)),
    ...GOLDEN_SUMS.map((name) => golden(name, true)),
    ...valueKinds(),
    ...OUTPUTS.map((name): Kind => {
      const { options, rows, bytes } = outputCase(name);
      return { name, bytes: () => bytes, options, rows, tolerance: TOLERANCE, isTame: true };
    }),
    ...[...arrayModels, ...vectorModels].map((model): Kind => {
      const { name, rows, deploy = {}, tolerance = TOLERANCE } = model;
      return { name, bytes: () => arrayBytes(model), options: deploy, rows, tolerance, isTame: true };
    }),
  ];
}

function golden(name: string, isTame: boolean): Kind {
  const model = goldenModel(name);
  return {
    name,
    bytes: () => goldenBytes(model),
    options: model.deploy,
    rows: goldenRows(model),
    tolerance: TOLERANCE,
    isTame,
  };
}

/** Several targets, labels and quantiles. */
function valueKinds(): Kind[] {
  const at = (name: string): Buffer => readFileSync(new URL(`../../models/values/${name}`, import.meta.url));
  const { models } = JSON.parse(at('values.json').toString()) as {
    models: { name: string; deploy: Record<string, unknown> }[];
  };
  return models.map(({ name, deploy }): Kind => {
    const [header = '', ...lines] = gunzipSync(at(`${name}.csv.gz`))
      .toString()
      .trim()
      .split('\n');
    const names = header.split(',');
    const rows = lines.map((line) => Object.fromEntries(line.split(',').map((cell, index) => [names[index], cell])));
    return { name, bytes: () => at(`${name}.onnx`), options: deploy, rows, tolerance: TOLERANCE, isTame: true };
  });
}

/** Deploys a kind under its name, and says what it takes. */
export async function deployKind(ada: Client, { name, bytes, options }: Kind): Promise<Deployed> {
  await deployBytes(ada, name, bytes(), options);
  const read = 'select inputs, task, execution from pgscore.models where model = $1';
  const { rows } = await ada.query<{ inputs: string; task: string; execution: string }>(read, [name]);
  const [{ inputs, task, execution } = { inputs: '', task: '', execution: '' }] = rows;
  const features = inputs.split(', ').map((input) => {
    const at = input.lastIndexOf(' ');
    return { name: input.slice(0, at).replace(/^"(.*)"$/s, '$1'), tensor: input.slice(at + 1) };
  });
  return { features, task, isNative: execution.includes('native') };
}
