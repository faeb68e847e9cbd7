import { ATTRIBUTE, ENTRY, GRAPH, MODEL, NODE, OPSET, TENSOR } from './layout.ts';
import { readValueInfo, type GraphValue } from './value-info.ts';
import { integerField, parts, textField, textOf, whole, type Part, type Span } from './wire.ts';

/** One operator of the main graph; its attributes stay where they are until asked for. */
export type GraphNode = {
  readonly op: string;
  readonly domain: string;
  readonly inputs: string[];
  readonly outputs: string[];
  readonly attributes: ReadonlyMap<string, Span>;
  /** Tensors of the main graph that the bodies of If, Scan and their like read by name. */
  readonly captured: string[];
  readonly part: Part;
};

/** What pgscore needs to know of a model without decoding it. */
export type Outline = {
  readonly bytes: Uint8Array;
  readonly opset: Record<string, number>;
  readonly producer: { name: string; version: string };
  readonly metadata: Record<string, string>;
  readonly graph: Part;
  /** Without the initializers that IR versions before 4 list among them. */
  readonly inputs: GraphValue[];
  readonly outputs: GraphValue[];
  readonly nodes: GraphNode[];
  readonly initializers: ReadonlyMap<string, Span>;
  /** The fields that declare shapes of intermediate tensors. */
  readonly intermediates: Part[];
};

/** Reads the outline of a model that passed refuseUnsafe(). */
export function readOutline(bytes: Uint8Array): Outline {
  const model = whole(bytes);
  const [graph] = parts(model, MODEL.graph);
  if (graph === undefined) throw new Error('readOutline wants a model that passed refuseUnsafe()');
  const initializers = new Map(
    parts(graph.payload, GRAPH.initializer).map(({ payload }) => [textField(payload, TENSOR.name), payload]),
  );
  const values = (number: number) => parts(graph.payload, number).map(readValueInfo);
  return {
    bytes,
    // fromEntries defines own properties, so that a key such as __proto__ is only a key.
    opset: Object.fromEntries(parts(model, MODEL.opsetImport).map(readOpset)),
    producer: { name: textField(model, MODEL.producerName), version: textField(model, MODEL.producerVersion) },
    metadata: Object.fromEntries(parts(model, MODEL.metadata).map(readEntry)),
    graph,
    inputs: values(GRAPH.input).filter(({ name }) => !initializers.has(name)),
    outputs: values(GRAPH.output),
    nodes: parts(graph.payload, GRAPH.node).map(readNode),
    initializers,
    intermediates: parts(graph.payload, GRAPH.valueInfo),
  };
}

export function readNode(part: Part): GraphNode {
  const node = part.payload;
  const domain = textField(node, NODE.domain);
  const attributes = parts(node, NODE.attribute).map(({ payload }) => payload);
  return {
    op: textField(node, NODE.opType),
    domain: domain === 'ai.onnx' ? '' : domain,
    inputs: names(node, NODE.input),
    outputs: names(node, NODE.output),
    attributes: new Map(attributes.map((attribute) => [textField(attribute, ATTRIBUTE.name), attribute])),
    captured: [...new Set(attributes.flatMap(bodyInputs))],
    part,
  };
}

/** Names that the bodies in an attribute read; those that a body makes itself do no harm. */
function bodyInputs(attribute: Span): string[] {
  const bodies = [...parts(attribute, ATTRIBUTE.graph), ...parts(attribute, ATTRIBUTE.graphs)];
  return bodies.flatMap((body) =>
    parts(body.payload, GRAPH.node).flatMap(({ payload }) => [
      ...names(payload, NODE.input),
      ...parts(payload, NODE.attribute).flatMap((inner) => bodyInputs(inner.payload)),
    ]),
  );
}

function names(node: Span, number: number): string[] {
  return parts(node, number).map(({ payload }) => textOf(payload));
}

function readEntry({ payload }: Part): [string, string] {
  return [textField(payload, ENTRY.key), textField(payload, ENTRY.value)];
}

function readOpset({ payload }: Part): [string, number] {
  return [textField(payload, OPSET.domain), integerField(payload, OPSET.version)];
}

/** The operator that makes a tensor, looked for past those in `passing`; undefined for inputs and constants. */
export function producerBehind(outline: Outline, tensor: string, passing: ReadonlySet<string>): GraphNode | undefined {
  let name = tensor;
  for (let steps = 0; steps <= outline.nodes.length; steps += 1) {
    const node = outline.nodes.find(({ outputs }) => outputs.includes(name));
    if (node === undefined || !passing.has(node.op)) return node;
    name = node.inputs[0] ?? '';
  }
  return undefined;
}
