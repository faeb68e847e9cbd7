import { PgscoreError } from '../errors.ts';
import { isStorableJson } from '../lib/storable.ts';
import { categoriesOf } from '../model/categories.ts';
import type { DeployOptions } from '../model/deploy-options.ts';
import { mapFeatures } from '../model/features.ts';
import { gate } from '../model/gate.ts';
import { declaredInputs } from '../model/inputs.ts';
import type { JsonRow } from '../model/json-rows.ts';
import { FEATURES_KEY, metadataNames } from '../model/name-list.ts';
import { normalise } from '../model/normalise.ts';
import type { Outline } from '../model/outline.ts';
import { settleNulls } from '../model/null-handling.ts';
import type { Signature } from '../model/signature.ts';
import { trainingBaseline, type FeatureBaseline } from '../model/training-baseline.ts';
import { tryFixedBatch, tryOpenBatch } from './batch-freedom.ts';
import { compareExpected, expectedFeatures } from './expectation.ts';
import type { ExpectationReport } from './expectation.ts';
import { proofOf } from './proof.ts';
import type { Proof } from './proof.ts';
import { sampleRows } from './sample-rows.ts';
import type { Preparation } from './trial.ts';

/** What the check of a model found. */
export type ProbeReport = {
  readonly signature: Signature;
  /** The bytes to serve, or null where they are those that were deployed. */
  readonly served: Uint8Array | null;
  /** What was assumed, or is slower than it need be. */
  readonly warnings: string[];
  /** The metadata of the file, its operator sets (domain -> version) and its exporter. */
  readonly metadata: Record<string, string>;
  readonly opset: Record<string, number>;
  readonly producer: { name: string; version: string };
  /** What the features were like in training, where the metadata says so. */
  readonly baseline: readonly FeatureBaseline[] | null;
  /** The comparison with the framework's own predictions, where there were any. */
  readonly expectation: ExpectationReport | null;
  /** What a compiled function is to say of rows where it may go wrong; null where the model is not compiled. */
  readonly proof: Proof | null;
};

/** What whoever deploys a model says about it, with rows of features and of the framework's own predictions for them. */
export type ProbeOptions = DeployOptions & { readonly expect?: readonly JsonRow[] | undefined };

/**
 * Checks one model from its bytes to its predictions. Runs it: so only in a process that may hang, grow and crash.
 * @throws PgscoreError with a code of the `model_` family for a model that is refused
 */
export async function checkModel(bytes: Uint8Array, options: ProbeOptions): Promise<ProbeReport> {
  gate(bytes);
  const model = normalise(bytes);
  const preparation = prepare(model.outline, options);
  const trial = await (model.batch === null ? tryOpenBatch : tryFixedBatch)(model, preparation);
  const { outline, changed } = trial.model;
  const { metadata, opset, producer } = outline;
  const { signature } = trial.session;
  checkStorable({ signature, metadata, opset, producer });
  const training = trainingBaseline(metadata, signature.features);
  return {
    signature,
    served: changed ? outline.bytes : null,
    warnings: [...trial.warnings, ...training.warnings],
    metadata,
    opset,
    producer,
    baseline: training.baseline,
    expectation: options.expect === undefined ? null : await compareExpected(trial.session, options.expect),
    proof: await proofOf(
      outline.bytes,
      trial.session,
      options.expect === undefined ? [] : expectedFeatures(trial.session, options.expect),
    ),
  };
}

function checkStorable(facts: object): void {
  if (isStorableJson(JSON.stringify(facts))) return;
  throw new PgscoreError('model_unreadable', 'a name or the metadata of the model holds a character that is none', {
    remedy: 'Export the model with plain names.',
  });
}

function prepare(outline: Outline, options: DeployOptions): Preparation {
  const names = options.features ?? metadataNames(outline.metadata, FEATURES_KEY, 'model_feature_names_wrong');
  const mapped = mapFeatures(declaredInputs(outline.inputs), names);
  const features = settleNulls(outline, mapped.features, options);
  const samples = sampleRows(features, categoriesOf(outline, features));
  return { inputs: mapped.inputs, features, samples, options };
}
