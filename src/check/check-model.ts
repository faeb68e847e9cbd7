import { PgscoreError } from '../errors.ts';
import { isStorableJson } from '../lib/text.ts';
import { categoriesOf } from './column-flow.ts';
import type { CheckOptions } from './options.ts';
import { mapFeatures, declaredInputs } from './features.ts';
import { refuseUnsafe } from '../onnx/refuse.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import { checkLengths, FEATURES_KEY, metadataNames } from './names.ts';
import { normalise } from '../onnx/normalise.ts';
import type { Outline } from '../onnx/outline.ts';
import { decideNulls } from './null-handling.ts';
import type { Signature } from '../inference/signature.ts';
import { trainedUntil, trainingBaseline, type FeatureBaseline } from './training-metadata.ts';
import { tryBatches } from './try-batches.ts';
import { compareExpected, type ExpectationReport } from './expectation.ts';
import { knownDifferences } from './known-differences.ts';
import type { Reference } from '../to-sql/differences.ts';
import { sampleRows } from './sample-runs.ts';
import { referenceFor, type Preparation } from './trial.ts';

/** What is known of a model before it is proven. The graph to serve comes as bytes, and from the probe as a file. */
export type CheckedModel<Graph = Uint8Array> = {
  readonly signature: Signature;
  /** The graph to serve, or null where it is the one that was deployed. */
  readonly served: Graph | null;
};

/** What the check of a model found. */
export type ProbeReport<Graph = Uint8Array> = CheckedModel<Graph> & {
  /** What was assumed, or is slower than it need be. */
  readonly warnings: string[];
  /** The metadata of the file, its operator sets (domain -> version) and its exporter. */
  readonly metadata: Record<string, string>;
  readonly opset: Record<string, number>;
  readonly producer: { name: string; version: string };
  /** What the features were like in training, where the metadata says so. */
  readonly baseline: readonly FeatureBaseline[] | null;
  /** When the training data end, where the metadata says so. */
  readonly trainedUntil: string | null;
  /** The comparison with the framework's own predictions, where there were any. */
  readonly expectation: ExpectationReport | null;
  /** What ONNX Runtime says of the rows that it was asked about; null where there were none. */
  readonly reference: Reference | null;
};

/** Given what is checked, returns rows to score beside those of the check; null for none. */
export type RowsFor<Graph = Uint8Array> = (checked: CheckedModel<Graph>) => Promise<readonly JsonRow[] | null>;

/** What whoever deploys a model says about it, with rows of features and of the framework's own predictions for them. */
export type ProbeOptions = CheckOptions & { readonly expect?: readonly JsonRow[] | undefined };

/**
 * Checks one model from its bytes to its predictions. Runs it: so only in a process that may hang, grow and crash.
 * What it checked may be refused all the same.
 * @throws PgscoreError with a code of the `model_` family for a model that is refused
 */
export async function checkModel(
  bytes: Uint8Array,
  options: ProbeOptions,
  rowsFor: RowsFor = () => Promise.resolve(null),
): Promise<ProbeReport> {
  refuseUnsafe(bytes);
  const model = normalise(bytes);
  const preparation = prepare(model.outline, options);
  const trial = await tryBatches(model, preparation);
  const { outline, changed, widened } = trial.model;
  const { metadata, opset, producer } = outline;
  const { signature } = trial.session;
  checkStorable({ signature, metadata, opset, producer });
  const checked = { signature, served: changed ? outline.bytes : null };
  const asked = rowsFor(checked);
  const training = trainingBaseline(metadata, signature.features);
  const trained = trainedUntil(metadata);
  const known = knownDifferences(outline);
  const causes = widened ? [...known, WIDENED] : known;
  const expectation =
    options.expect === undefined ? null : await compareExpected(trial.session, options.expect, causes);
  // Rows that were expected, and came, are the proof.
  const differences = expectation === null ? known.map((what) => `${what}; ${TO_BE_SURE}`) : [];
  const rows = await asked;
  return {
    ...checked,
    warnings: [
      ...trial.warnings,
      ...training.warnings,
      ...trained.warnings,
      ...(widened ? [WIDENED] : []),
      ...differences,
    ],
    metadata,
    opset,
    producer,
    baseline: training.baseline,
    trainedUntil: trained.trainedUntil,
    expectation,
    reference: rows && (await referenceFor(trial.session, rows)),
  };
}

const TO_BE_SURE = "deploy it with the framework's own predictions to be sure (expect)";

const WIDENED =
  'the model computes in bfloat16, and is scored in float32: predictions are those of model.float(), and may differ from those of bfloat16 in the second or third digit';

function checkStorable(facts: object): void {
  if (isStorableJson(JSON.stringify(facts))) return;
  throw new PgscoreError('model_unreadable', 'a name or the metadata of the model holds a character that is none', {
    remedy: 'Export the model with plain names.',
  });
}

function prepare(outline: Outline, options: CheckOptions): Preparation {
  const values = [...outline.inputs, ...outline.outputs];
  checkLengths(
    values.map(({ name }) => name),
    'input or output',
    'model_unreadable',
  );
  const names = options.features ?? metadataNames(outline.metadata, FEATURES_KEY, 'model_feature_names_wrong');
  const mapped = mapFeatures(declaredInputs(outline.inputs), names);
  const features = decideNulls(outline, mapped.features, options);
  const samples = sampleRows(features, categoriesOf(outline, features));
  return { inputs: mapped.inputs, features, samples, options };
}
