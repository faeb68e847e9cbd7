import { PgscoreError } from '../errors.ts';
import { anyFlagSet, floatAttribute } from '../onnx/attributes.ts';
import { traceFeatures, type Arrival } from './column-flow.ts';
import { isConstant } from '../onnx/constants.ts';
import type { CheckOptions } from './options.ts';
import type { MappedFeature } from './features.ts';
import { isStandardDomain } from '../onnx/operators.ts';
import type { GraphNode, Outline } from '../onnx/outline.ts';
import { isInRange } from '../inference/narrow.ts';
import { isFloat, type Feature, type TensorType } from '../inference/signature.ts';

type Default = number | string | boolean;

/**
 * Settles what a NULL becomes, feature by feature: a declared default; NaN in a float feature, where the graph is known
 * to handle it on every path or the deployer says so; else the row is bad. skl2onnx drops the NaN routing of a random
 * forest without a word, so a model that trained with NaN is no proof.
 * @throws PgscoreError model_null_values_wrong
 */
export function decideNulls(
  outline: Outline,
  features: readonly MappedFeature[],
  { nulls = 'auto', nullValues = {} }: CheckOptions,
): Feature[] {
  checkNames(features, Object.keys(nullValues));
  const arrivals = nulls === 'auto' ? traceFeatures(outline, features) : [];
  return features.map((feature, index) => {
    const value = Object.hasOwn(nullValues, feature.name) ? nullValues[feature.name] : undefined;
    if (value !== undefined) return { ...feature, nulls: 'default', default: checked(feature, value) };
    const handled =
      nulls === 'nan' || (nulls === 'auto' && (arrivals[index] ?? []).every((arrival) => handlesNaN(arrival, outline)));
    return { ...feature, nulls: isFloat(feature.type) && handled ? 'nan' : 'error' };
  });
}

function handlesNaN(arrival: Arrival, outline: Outline): boolean {
  if (arrival === 'output' || !isStandardDomain(arrival.domain)) return false;
  if (arrival.op === 'IsNaN') return true;
  if (arrival.op === 'Where') return fillsNaN(arrival, outline);
  if (arrival.op === 'Imputer') return Number.isNaN(floatAttribute(arrival, 'replaced_value_float'));
  return arrival.op.startsWith('TreeEnsemble') && anyFlagSet(arrival, 'nodes_missing_value_tracks_true');
}

/** Takes a constant where its third input is NaN, as nan_to_num() does. */
function fillsNaN({ inputs: [condition = '', filling = '', given] }: GraphNode, outline: Outline): boolean {
  const test = outline.nodes.find(({ outputs }) => outputs.includes(condition));
  return test?.op === 'IsNaN' && test.inputs[0] === given && isConstant(outline, filling);
}

function checkNames(features: readonly MappedFeature[], names: readonly string[]): void {
  const stranger = names.find((name) => features.every((feature) => feature.name !== name));
  if (stranger === undefined) return;
  throw new PgscoreError(
    'model_null_values_wrong',
    `a default for NULL is given for '${stranger}', which is no feature`,
    {
      remedy: `The features are: ${features.map(({ name }) => name).join(', ')}.`,
    },
  );
}

const INT32 = 2 ** 31;

/** Whether a value can stand in a tensor of the type as it is. */
const FITS: Record<TensorType, (value: Default) => boolean> = {
  float32: (value) => typeof value === 'number' && Number.isFinite(Math.fround(value)),
  float64: (value) => typeof value === 'number' && Number.isFinite(value),
  int32: (value) => Number.isInteger(value) && Number(value) >= -INT32 && Number(value) < INT32,
  int64: (value) => Number.isSafeInteger(value),
  bool: (value) => typeof value === 'boolean',
  string: (value) => typeof value === 'string',
};

function checked({ name, type: wide, element, width }: MappedFeature, value: Default): Default {
  const type = element ?? wide;
  if (width === 0) {
    throw new PgscoreError('model_null_values_wrong', `'${name}' is an array of any length: no default can be one`, {
      remedy: `Leave the default of '${name}' out.`,
    });
  }
  if (FITS[wide](value) && (element === undefined || isInRange(element, Number(value)))) return value;
  throw new PgscoreError(
    'model_null_values_wrong',
    `the default for NULL in '${name}' is ${JSON.stringify(value)}, but the model takes ${type} there`,
    { remedy: `Give a ${type} value.` },
  );
}
