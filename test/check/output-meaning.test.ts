import { describe, expect, test } from '@jest/globals';
import { classLabelsOf } from '../../src/check/class-labels.ts';
import type { CheckOptions } from '../../src/check/options.ts';
import type { SampleValues } from '../../src/check/sample-runs.ts';
import { normalise } from '../../src/onnx/normalise.ts';
import type { ObservedOutput } from '../../src/inference/outputs.ts';
import { outputMeaning } from '../../src/check/output-meaning.ts';
import type { TensorType } from '../../src/inference/signature.ts';
import { caught } from '../support/caught.ts';
import { classic, integers, mapsValue, node, onnxModel, strings, tensorValue } from '../support/onnx-builder.ts';

const output = (name: string, type: TensorType, width: number): ObservedOutput => ({ name, type, width, rank: 1 });
const label = output('label', 'int64', 1);
const plain = onnxModel({ nodes: [node('ReduceSum', ['X'], ['y'])] });

type Case = {
  model?: Uint8Array;
  observed: ObservedOutput[];
  classLabels?: string[];
  options?: CheckOptions;
  values?: SampleValues;
};

function found({ model = plain, observed, classLabels = [], options = {}, values = new Map() }: Case) {
  const warnings: string[] = [];
  const { outline } = normalise(model);
  return { ...outputMeaning({ outline, observed, classLabels, options, values }, warnings), warnings };
}

const refused = (evidence: Case) => caught(() => found(evidence)).code;

describe('a model is', () => {
  test('a regression where it returns one number and names no classes', () => {
    expect(found({ observed: [output('y', 'float32', 1)] })).toEqual({
      task: 'regression',
      classLabels: [],
      outputs: { value: { name: 'y' } },
      warnings: [],
    });
  });

  test('binary with two classes, the last of which is positive', () => {
    const observed = [label, output('probabilities', 'float32', 2)];
    expect(found({ observed, classLabels: ['0', '1'] })).toEqual({
      task: 'binary',
      classLabels: ['0', '1'],
      outputs: { label: { name: 'label', type: 'int64' }, probabilities: { name: 'probabilities', width: 2 } },
      positiveClass: '1',
      warnings: [],
    });
  });

  test('multiclass with three', () => {
    const observed = [label, output('p', 'float32', 3)];
    expect(found({ observed, classLabels: ['a', 'b', 'c'] }).task).toBe('multiclass');
  });

  test('what the deployer says', () => {
    const observed = [label, output('score', 'float32', 1)];
    expect(found({ observed, classLabels: ['0', '1'], options: { task: 'regression' } }).outputs).toEqual({
      value: { name: 'score' },
    });
    const options = { positiveClass: 'no', threshold: 0.3 };
    expect(found({ observed, classLabels: ['no', 'yes'], options })).toMatchObject(options);
  });

  test.each([
    ['Sigmoid', 1, 'binary', ['0', '1']],
    ['Softmax', 2, 'binary', ['0', '1']],
    ['Softmax', 3, 'multiclass', ['0', '1', '2']],
  ])('a network that ends in %s of %i, with a warning about its labels', (op, width, task, classLabels) => {
    const model = onnxModel({ nodes: [node(op, ['X'], ['s']), node('Identity', ['s'], ['y'])] });
    const checked = found({ model, observed: [output('y', 'float32', width)] });
    expect(checked).toMatchObject({ task, classLabels, warnings: [expect.stringContaining('no class labels')] });
  });
});

describe('outputs that nobody needs are no reason to refuse:', () => {
  const hidden = output('hidden', 'float32', 16);
  const classes = output('classes', 'float32', 3);
  const attention = { ...output('attention', 'float32', 64), rank: 2 };
  const network = onnxModel({
    nodes: [
      node('Softmax', ['X'], ['attention']),
      node('Softmax', ['X'], ['classes']),
      node('Sigmoid', ['X'], ['p']),
      node('Tanh', ['X'], ['y']),
    ],
  });

  test.each<[string, ObservedOutput[], CheckOptions, object]>([
    ['hidden states beside a value', [output('y', 'float32', 1), hidden], {}, { task: 'regression' }],
    ['attention beside a value', [attention, output('y', 'float32', 1)], {}, { task: 'regression' }],
    ['of a regression', [hidden, output('y', 'float32', 1)], { task: 'regression' }, { task: 'regression' }],
    ['classes of a regression', [classes, output('y', 'float32', 1)], { task: 'regression' }, { task: 'regression' }],
    ['hidden states beside a probability', [hidden, output('p', 'float32', 1)], {}, { task: 'binary' }],
    ['attention beside a logit', [attention, output('y', 'float32', 1)], { logits: true }, { task: 'binary' }],
  ])('%s', (_, observed, options, expected) => {
    const meaning = found({ model: network, observed, options });
    expect(meaning).toMatchObject({
      ...expected,
      warnings: [expect.stringMatching(/; not read: '(hidden|attention|classes)'$/), ...meaning.warnings.slice(1)],
    });
    expect(JSON.stringify(meaning.outputs)).not.toMatch(/hidden|attention|classes/);
  });

  test('a value beside what may be the classes is asked about', () => {
    const { code, remedy } = caught(() => found({ model: network, observed: [output('y', 'float32', 1), classes] }));
    expect({ code, remedy }).toEqual({
      code: 'model_outputs_unsupported',
      remedy: expect.stringContaining("task => 'regression' where 'y' is the prediction"),
    });
  });

  test('vectors of tokens beside the logits of classes are not read', () => {
    const tokens = { ...output('tokens', 'float32', 40), rank: 2 };
    const model = onnxModel({
      nodes: [node('Tanh', ['X'], ['tokens']), node('MatMul', ['X', 'W'], ['logits'])],
      outputs: [tensorValue('logits', [null, 2]), tensorValue('tokens', [null, null, 8])],
    });
    const observed = [output('logits', 'float32', 2), tokens];
    expect(found({ model, observed, options: { logits: true } })).toMatchObject({
      task: 'binary',
      outputs: { probabilities: { name: 'logits', width: 2 } },
      warnings: ["output 'tokens' has a vector for each token or step, and is not read", expect.anything()],
    });
  });

  test('of logits, a number beside what may be those of the classes is asked about', () => {
    const observed = [output('y', 'float32', 1), hidden];
    expect(refused({ model: network, observed, options: { logits: true } })).toBe('model_outputs_unsupported');
  });
});

describe('the probabilities are', () => {
  test('those so named where several would fit', () => {
    const observed = [label, output('scores', 'float32', 2), output('probabilities', 'float32', 2)];
    expect(found({ observed, classLabels: ['0', '1'] }).outputs.probabilities?.name).toBe('probabilities');
  });

  test('not needed where the model returns labels alone', () => {
    expect(found({ observed: [label], classLabels: ['0', '1'] }).outputs).toEqual({
      label: { name: 'label', type: 'int64' },
    });
  });

  test('refused where they stand in a column each', () => {
    const columns = ['a', 'b', 'c'].map((name) => output(name, 'float32', 1));
    expect(refused({ observed: [label, ...columns], classLabels: ['a', 'b', 'c'] })).toBe('model_outputs_unclear');
  });

  test('refused where their number is not that of the labels', () => {
    expect(refused({ observed: [output('p', 'float32', 4)], classLabels: ['a', 'b', 'c'] })).toBe(
      'model_class_labels_wrong',
    );
  });
});

describe('outputs are refused', () => {
  test.each<[string, Case, string]>([
    ['that are labels without names', { observed: [label] }, 'model_class_labels_missing'],
    ['that are several targets', { observed: [output('y', 'float32', 3)] }, 'model_outputs_unsupported'],
    [
      'that are several values',
      { observed: [output('y', 'float32', 1), output('z', 'float32', 1)] },
      'model_outputs_unsupported',
    ],
    [
      'that are texts of a regression',
      { observed: [output('y', 'string', 1)], options: { task: 'regression' } },
      'model_outputs_unsupported',
    ],
    [
      'with a threshold for a regression',
      { observed: [output('y', 'float32', 1)], options: { threshold: 0.5 } },
      'model_options_wrong',
    ],
    [
      'with names of targets for one number',
      { observed: [output('y', 'float32', 1)], options: { targets: ['late'] } },
      'model_options_wrong',
    ],
    [
      'with a positive class that is none',
      { observed: [output('p', 'float32', 2)], classLabels: ['0', '1'], options: { positiveClass: 'yes' } },
      'model_options_wrong',
    ],
    [
      'with a threshold past 1',
      { observed: [output('p', 'float32', 2)], classLabels: ['0', '1'], options: { threshold: 50 } },
      'model_options_wrong',
    ],
    [
      'with a binary task of three classes',
      { observed: [output('p', 'float32', 3)], classLabels: ['a', 'b', 'c'], options: { task: 'binary' } },
      'model_options_wrong',
    ],
  ])('%s', (_, evidence, code) => {
    expect(refused(evidence)).toBe(code);
  });

  test('of classes that nobody names, with labels or without', () => {
    const says = (evidence: Case) => caught(() => found({ ...evidence, options: { task: 'multiclass' } })).message;
    expect(says({ observed: [label] })).toBe('the model returns labels but does not name its classes');
    expect(says({ observed: [output('p', 'float32', 3), output('q', 'float32', 3)] })).toBe(
      "nobody names the classes: the model returns 'p' (float32, 3 a row), 'q' (float32, 3 a row)",
    );
  });
});

describe('class labels come', () => {
  const labels = (model: Uint8Array, options: CheckOptions = {}) => classLabelsOf(normalise(model), options);
  const int64 = (name: string) => tensorValue(name, [null], 7);
  const classifier = classic('TreeEnsembleClassifier', ['X'], ['l', 'p'], { classlabels_int64s: [-1, 1] });
  const trees = onnxModel({
    nodes: [classifier, node('Cast', ['l'], ['label'], { to: 7 })],
    outputs: [int64('label'), tensorValue('p', [null, 2])],
  });

  test('from the ZipMap', () => {
    const zipMap = classic('ZipMap', ['X'], ['maps'], { classlabels_int64s: [3, 5, 7] });
    expect(labels(onnxModel({ nodes: [zipMap], outputs: [mapsValue('maps')] }))).toEqual(['3', '5', '7']);
  });

  test('from the classifier behind the label output', () => {
    expect(labels(trees)).toEqual(['-1', '1']);
  });

  test('from the constant that labels are picked from', () => {
    const picked = [
      node('ArgMax', ['X'], ['i'], { axis: 1 }),
      classic('ArrayFeatureExtractor', ['classes', 'i'], ['l']),
      node('Reshape', ['l', 'shape'], ['label']),
    ];
    const tensors = [strings('classes', ['setosa', 'virginica']), integers('shape', [1], [-1])];
    expect(labels(onnxModel({ nodes: picked, tensors, outputs: [tensorValue('label', [null], 8)] }))).toEqual([
      'setosa',
      'virginica',
    ]);
  });

  test('from the deployer, or the metadata', () => {
    expect(labels(plain, { classLabels: ['a', 'b'] })).toEqual(['a', 'b']);
    const metadata = { 'pgscore.class_labels': '["x", "y"]' };
    expect(labels(onnxModel({ nodes: [node('ReduceSum', ['X'], ['y'])], metadata }))).toEqual(['x', 'y']);
    expect(labels(plain)).toEqual([]);
  });

  test('not from one of them against another', () => {
    expect(labels(trees, { classLabels: ['-1', '1'] })).toEqual(['-1', '1']);
    expect(caught(() => labels(trees, { classLabels: ['stay', 'churn'] })).code).toBe('model_class_labels_wrong');
  });

  test.each([[['a', 'a']], [['a', '']], [['a', 'b\0']]])('not as %j', (classLabels) => {
    expect(caught(() => labels(plain, { classLabels })).code).toBe('model_class_labels_wrong');
  });
});

describe('margins beside labels', () => {
  const observed = [label, output('margins', 'float32', 3)];
  const classLabels = ['0', '1', '2'];
  const values = (said: unknown, row: number[]): SampleValues =>
    new Map<string, unknown[][]>([
      ['label', Array.from({ length: 5 }, () => [said])],
      ['margins', Array.from({ length: 5 }, () => row)],
    ]);

  test('are those of an SVM, too, whose votes tie on the samples: its label is the first class', () => {
    const model = onnxModel({ nodes: [classic('SVMClassifier', ['X'], ['label', 'y'])] });
    const tied = { observed, classLabels, values: values('0', [0.978, 0.992, 1.028]) };
    expect(found({ ...tied, model }).outputs.margins).toEqual({ name: 'margins', width: 3, unit: 'margin' });
    expect(refused(tied)).toBe('model_outputs_unclear');
    expect(refused({ ...tied, model, values: values('0', [0.9, 1.9, 0.2]) })).toBe('model_outputs_unclear');
  });

  test('are refused where the classes have other names than the labels', () => {
    const named = { observed, classLabels: ['a', 'b', 'c'], values: values(3n, [2.1, 0.9, -0.1]) };
    const { code, message } = caught(() => found(named));
    expect([code, message]).toEqual(['model_class_labels_wrong', expect.stringContaining("'3'")]);
  });

  test('name a class by its position, where its margin is the largest', () => {
    const named = { observed, classLabels: ['a', 'b', 'c'] };
    const margins = { name: 'margins', width: 3, unit: 'margin' };
    expect(found({ ...named, values: values(0n, [2.1, 0.9, -0.1]) }).outputs.margins).toEqual(margins);
    expect(refused({ ...named, values: values(1n, [2.1, 0.9, -0.1]) })).toBe('model_outputs_unclear');
    const numbered = { observed, classLabels: ['5', '6', '7'], values: values(0n, [2.1, 0.9, -0.1]) };
    expect(refused(numbered)).toBe('model_class_labels_wrong');
  });
});
