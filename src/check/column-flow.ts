import { integerAttribute, labelsAttribute } from '../onnx/attributes.ts';
import { constantIntegers, isConstant } from '../onnx/constants.ts';
import type { MappedFeature } from './features.ts';
import { isStandardDomain } from '../onnx/operators.ts';
import type { GraphNode, Outline } from '../onnx/outline.ts';

/** Features inside of one tensor. Their columns are known until an operator reorders them in a way not followed. */
type Flow = { readonly columns: readonly number[] | null; readonly carried: ReadonlySet<number> };

/** Where a feature is first computed with: an operator, or the output of the graph ('output'). */
export type Arrival = GraphNode | 'output';

/**
 * Follows every feature through the operators that only move values (Concat, Cast, Identity, column selections, scaling
 * by constants) to those that read them. Returns the arrivals of each feature, in the order of `features`. Where an
 * operator's columns can't be followed, its output counts as carrying every feature of its inputs.
 */
export function traceFeatures(outline: Outline, features: readonly MappedFeature[]): Arrival[][] {
  const arrivals = features.map(() => new Set<Arrival>());
  const flows = inputFlows(features);
  const arrive = (name: string, arrival: Arrival) => {
    for (const feature of flows.get(name)?.carried ?? []) arrivals[feature]?.add(arrival);
  };
  for (const node of outline.nodes) {
    for (const name of node.captured) arrive(name, node);
    const moved = moves(node, outline, flows);
    if (moved === undefined) node.inputs.forEach((name) => arrive(name, node));
    else if (moved !== 'nothing') node.outputs.forEach((name) => flows.set(name, moved));
  }
  for (const { name } of outline.outputs) arrive(name, 'output');
  return arrivals.map((found) => [...found]);
}

function inputFlows(features: readonly MappedFeature[]): Map<string, Flow> {
  const columns = new Map<string, number[]>();
  features.forEach(({ input, width }, index) => {
    const own = columns.get(input) ?? [];
    for (let column = 0; column < Math.max(1, width); column += 1) own.push(index);
    columns.set(input, own);
  });
  return new Map([...columns].map(([input, own]) => [input, known(own)]));
}

/** Reads no values, so that it does not matter what they are. */
const SHAPE_ONLY = new Set(['Shape', 'Size']);
/** One column in, the same column out. */
const COLUMNWISE = new Set(['Identity', 'Scaler', 'Dropout', 'Flatten']);
/** Moves values about, or scales them, in ways whose columns are not followed. */
const SHUFFLES = new Set([
  'Reshape',
  'Squeeze',
  'Unsqueeze',
  'Slice',
  'Split',
  'Transpose',
  'Add',
  'Sub',
  'Mul',
  'Div',
]);
const SELECTS = new Set(['ArrayFeatureExtractor', 'Gather']);
const JOINS = new Set(['Concat', 'FeatureVectorizer']);
const FLOAT_TYPES = new Set([1, 10, 11, 16]);

/** What the outputs of an operator carry; undefined for one that computes with the values; 'nothing' for one that can't. */
function moves(node: GraphNode, outline: Outline, flows: ReadonlyMap<string, Flow>): Flow | 'nothing' | undefined {
  const [first, ...others] = node.inputs.flatMap((name) => flows.get(name) ?? []);
  if (first === undefined || SHAPE_ONLY.has(node.op)) return 'nothing';
  if (!isStandardDomain(node.domain)) return undefined;
  if (JOINS.has(node.op)) return join(node, flows);
  const steady = node.inputs.every((name) => flows.has(name) || name === '' || isConstant(outline, name));
  return steady && others.length === 0 ? moved(node, outline, first) : undefined;
}

/** What an operator on one tensor and constants makes of it. */
function moved(node: GraphNode, outline: Outline, flow: Flow): Flow | undefined {
  if (COLUMNWISE.has(node.op) || isFloatCast(node)) return flow;
  if (SHUFFLES.has(node.op)) return flow.columns?.length === 1 ? flow : unknown([flow]);
  if (SELECTS.has(node.op)) return select(node, outline, flow);
  return undefined;
}

/** A cast to an integer, a boolean or a string makes something of a NaN: that is computing. */
function isFloatCast(node: GraphNode): boolean {
  return node.op === 'Cast' && FLOAT_TYPES.has(integerAttribute(node, 'to') ?? 0);
}

function join(node: GraphNode, flows: ReadonlyMap<string, Flow>): Flow {
  const joined = node.inputs.map((name) => flows.get(name));
  const axis = node.op === 'Concat' ? (integerAttribute(node, 'axis') ?? 1) : 1;
  const columns = joined.map((flow) => flow?.columns);
  const followed = axis === 1 || axis === -1 ? columns.every((own) => own != null) : false;
  return followed ? known(columns.flatMap((own) => own ?? [])) : unknown(joined.flatMap((flow) => flow ?? []));
}

function select(node: GraphNode, outline: Outline, flow: Flow): Flow {
  const [, indices = ''] = node.inputs;
  const axis = node.op === 'Gather' ? (integerAttribute(node, 'axis') ?? 0) : 1;
  const chosen = constantIntegers(outline, indices);
  if (chosen === undefined || flow.columns === null || (axis !== 1 && axis !== -1)) return unknown([flow]);
  const picked = chosen.map((column) => flow.columns?.at(column));
  const own = picked.filter((feature) => feature !== undefined);
  return own.length === picked.length ? known(own) : unknown([flow]);
}

function known(columns: readonly number[]): Flow {
  return { columns, carried: new Set(columns) };
}

function unknown(flows: readonly Flow[]): Flow {
  return { columns: null, carried: new Set(flows.flatMap(({ carried }) => [...carried])) };
}

/**
 * The categories that the graph knows for each feature, [] where it knows none: encoders made to refuse the unknown fail
 * on any other value.
 */
export function categoriesOf(outline: Outline, features: readonly MappedFeature[]): string[][] {
  return traceFeatures(outline, features).map((arrivals) =>
    arrivals.flatMap((arrival) =>
      arrival === 'output'
        ? []
        : labelsAttribute(arrival, 'cats_strings', 'cats_int64s', 'keys_strings', 'keys_int64s'),
    ),
  );
}
