import { classLabelsOf } from './class-labels.ts';
import type { DeployOptions } from './deploy-options.ts';
import { GraphSession } from '../inference/graph-session.ts';
import { batchOfRows } from '../inference/json-rows.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { Normalised } from '../onnx/normalise.ts';
import { checkTensorsOnly } from '../inference/observed-output.ts';
import type { Predictions } from '../inference/predictions.ts';
import { outputReader } from '../inference/outputs.ts';
import { ModelSession } from '../inference/session.ts';
import { settleOutputs } from './output-meaning.ts';
import type { Signature } from '../inference/signature.ts';
import { checkOwnLabels } from './check-own-labels.ts';
import { checkPredictions } from './check-predictions.ts';
import { observe } from './observe.ts';

/** A model that loaded, scored the samples, and was understood. */
export type Trial = {
  readonly model: Normalised;
  readonly session: ModelSession;
  readonly predictions: Predictions;
  readonly warnings: string[];
};

/** What is known before a model runs, and the rows to run it on. */
export type Preparation = Pick<Signature, 'inputs' | 'features'> & {
  readonly samples: readonly JsonRow[];
  readonly options: DeployOptions;
};

/**
 * Loads a model, learns from a run what its outputs mean, and scores the samples through the code that the scorers use.
 * @throws PgscoreError for each way a model can fail at that
 */
export async function tryModel(model: Normalised, preparation: Preparation): Promise<Trial> {
  const { inputs, features, samples, options } = preparation;
  const { outline, batch } = model;
  checkTensorsOnly(outline);
  const graph = await GraphSession.load(outline.bytes, 1);
  const observed = await observe(graph, { inputs, features, batch }, batchOfRows(features, samples));
  const warnings: string[] = [];
  const classLabels = classLabelsOf(model, options);
  const meaning = settleOutputs({ outline, observed, classLabels, options }, warnings);
  const signature = { inputs, features, ...meaning, batch };
  const asReturned = new ModelSession(
    graph,
    signature,
    outputReader(signature, (probability) => probability),
  );
  const returned = await predictRows(asReturned, samples);
  checkPredictions(signature, returned, warnings);
  await checkOwnLabels(graph, signature, samples, returned, warnings);
  const session = new ModelSession(graph, signature);
  return { model, session, predictions: await predictRows(session, samples), warnings };
}

export async function predictRows(session: ModelSession, rows: readonly JsonRow[]): Promise<Predictions> {
  const { batch, unread } = batchOfRows(session.signature.features, rows);
  return session.predict(batch, unread);
}
