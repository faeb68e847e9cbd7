import type { ObservedOutput } from '../inference/outputs.ts';
import type { Signature } from '../inference/signature.ts';
import type { Outline } from '../onnx/outline.ts';
import type { DeployOptions } from './deploy-options.ts';
import type { SampleValues } from './sample-values.ts';

/** The half of a signature that says what the outputs mean. */
export type OutputMeaning = Pick<
  Signature,
  'task' | 'kind' | 'outputs' | 'classLabels' | 'positiveClass' | 'threshold' | 'valueNames' | 'scoreValue' | 'ownLabel'
>;

/** What is known when the meaning of the outputs is checked. */
export type Evidence = {
  readonly outline: Outline;
  readonly observed: readonly ObservedOutput[];
  /** As the model or the deployer names them; [] where nobody does. */
  readonly classLabels: readonly string[];
  readonly options: DeployOptions;
  readonly values: SampleValues;
};
