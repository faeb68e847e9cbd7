import { PgscoreError } from '../errors.ts';
import { localFunctions } from './local-functions.ts';
import { CHILDREN, GRAPH, MODEL, NODE, SPARSE, TENSOR, type MessageKind } from './layout.ts';
import { EmptyParts } from './concat.ts';
import { EXTENSIONS, checkExtension, type KnownNode } from './extensions.ts';
import { checkOperator, isStandardDomain } from './operators.ts';
import { readNode } from './outline.ts';
import { checkDims, checkInside, dimsOf } from './tensors.ts';
import { Fields, LENGTH, VARINT, parts, textField, textOf, whole, type Span } from './wire.ts';

/** A value of PostgreSQL ends at 1,024 MB, with all that a row or a message holds beside the model. */
export const MAX_MODEL_BYTES = 1000 * 1024 * 1024;
/** If, Scan and other operators with a body, one inside the other. */
const MAX_NESTING = 8;
/** Nodes, initializers, attributes and their like together; a large exported network has some ten thousand. */
const MAX_PARTS = 2_000_000;

/**
 * Walks every message of the file that can hold a tensor or an operator and refuses what must not reach ONNX Runtime:
 * external data anywhere, operators off the list, deep nesting, huge dimensions, bytes that are not ONNX. Costs
 * milliseconds, decodes nothing.
 * @throws PgscoreError model_empty, model_too_large, model_unreadable, model_truncated, model_external_data,
 *   model_unknown_operator, model_unknown_domain, model_refused_operator, model_too_deep, model_too_complex,
 *   model_tensor_too_large
 */
export function refuseUnsafe(bytes: Uint8Array): void {
  checkFile(bytes);
  const model = whole(bytes);
  const walk = new Walk(localFunctions(bytes), model);
  walk.visit('model', model, 0);
  walk.emptyParts.refuse();
}

/**
 * Refuses a file that is no ONNX model, by its size, its first bytes and the fields that every model has.
 * @throws PgscoreError model_empty, model_too_large, model_unreadable, model_truncated
 */
export function checkFile(bytes: Uint8Array): void {
  if (bytes.length === 0) {
    throw new PgscoreError('model_empty', 'the model file is empty', {
      remedy: 'Write the bytes of the export to the file: `open(path, "wb").write(model.SerializeToString())`.',
    });
  }
  if (bytes.length > MAX_MODEL_BYTES) {
    const size = Math.ceil(bytes.length / 1024 / 1024);
    throw new PgscoreError('model_too_large', `the model has ${size} MB; the limit is 1000 MB`, {
      remedy: 'Train with fewer or shallower trees, or store the weights with less precision.',
    });
  }
  const impostor = impostorOf(bytes);
  if (impostor !== undefined) {
    throw new PgscoreError('model_unreadable', `the file is ${impostor.what}, not an ONNX model`, {
      remedy: impostor.remedy,
    });
  }
  checkSkeleton(whole(bytes));
}

/** A text file can pass for protobuf by chance; one with an IR version, one graph and an opset can't. */
function checkSkeleton(model: Span): void {
  let graphs = 0;
  let version = 0;
  let opsets = 0;
  const fields = new Fields(model, 'model_truncated');
  while (stepOrUnreadable(fields, version)) {
    if (fields.number === MODEL.irVersion && fields.wire === VARINT) version = fields.integer();
    if (fields.wire !== LENGTH) continue;
    if (fields.number === MODEL.graph) graphs += 1;
    if (fields.number === MODEL.opsetImport) opsets += 1;
  }
  if (version < 1) throw notOnnx('it names no IR version');
  if (graphs !== 1) throw notOnnx(graphs === 0 ? 'it holds no graph' : `it holds ${graphs} graphs`);
  if (opsets === 0) throw notOnnx('it names no operator set');
}

/** Every exporter writes the IR version first: a file that breaks off before it is not a cut-off model. */
function stepOrUnreadable(fields: Fields, version: number): boolean {
  try {
    return fields.next();
  } catch (error) {
    if (version < 1) throw notOnnx('it does not begin like one');
    throw error;
  }
}

function notOnnx(reason: string): PgscoreError {
  return new PgscoreError('model_unreadable', `the file is not an ONNX model: ${reason}`, {
    remedy: 'Deploy the .onnx file that the exporter wrote, complete and unchanged.',
  });
}

class Walk {
  readonly emptyParts = new EmptyParts();
  readonly #functions: Set<string>;
  readonly #model: Span;
  #weights: Map<string, number[]> | undefined;
  #parts = 0;

  constructor(functions: Set<string>, model: Span) {
    this.#functions = functions;
    this.#model = model;
  }

  visit(kind: MessageKind, message: Span, depth: number): void {
    if (kind === 'tensor') {
      checkInside(message);
      const dims = checkDims(message, TENSOR.dims);
      this.emptyParts.addTensor(message, dims);
      return;
    }
    if (kind === 'sparse') {
      const dims = checkDims(message, SPARSE.dims);
      for (const { payload } of parts(message, SPARSE.values)) this.emptyParts.addTensor(payload, dims);
    }
    if (kind === 'node') this.#checkNode(message, depth === 1);
    const nesting = kind === 'graph' ? depth + 1 : depth;
    if (nesting > MAX_NESTING) throw tooDeep();
    this.#visitChildren(kind, message, nesting);
  }

  #visitChildren(kind: MessageKind, message: Span, depth: number): void {
    const children = CHILDREN[kind];
    // An attribute of a tree ensemble holds a million plain numbers; they are no parts.
    const counted = kind !== 'attribute';
    const fields = new Fields(message);
    while (fields.next()) {
      if (counted) this.#count();
      if (fields.wire !== LENGTH) continue;
      const child = children[fields.number];
      if (child !== undefined) this.visit(child, fields.span(), depth);
    }
  }

  #count(): void {
    this.#parts += 1;
    if (this.#parts > MAX_PARTS) {
      throw new PgscoreError(
        'model_too_complex',
        `the model has more than ${MAX_PARTS} nodes, tensors and attributes`,
        {
          remedy: 'Simplify the graph (onnxsim), or train a smaller model.',
        },
      );
    }
  }

  #checkNode(node: Span, inMainGraph: boolean): void {
    const [op, second] = parts(node, NODE.opType);
    const [domain, third] = parts(node, NODE.domain);
    // Readers differ in which of two they take.
    if (second !== undefined || third !== undefined) throw notOnnx('a node names its operator twice');
    const names = [domain, op].map((part) => (part === undefined ? '' : textOf(part.payload)));
    const [domainName = '', opName = ''] = names;
    if (this.#functions.has(`${domainName}:${opName}`)) return;
    if (domainName === EXTENSIONS) checkExtension(this.#known(node, inMainGraph));
    else checkOperator(domainName, opName);
    if (isStandardDomain(domainName)) this.emptyParts.addNode(opName, node);
  }

  #known(message: Span, inMainGraph: boolean): KnownNode {
    this.#weights ??= initializerDims(this.#model);
    const weights = this.#weights;
    const node = readNode({ field: message, payload: message });
    return { node, constant: (input) => (inMainGraph ? weights.get(node.inputs[input] ?? '') : undefined) };
  }
}

/** The dimensions of initializers. A name that is given twice, also by a node or a sparse tensor, has none: ONNX Runtime takes the last. */
function initializerDims(model: Span): Map<string, number[]> {
  const graphs = parts(model, MODEL.graph).map(({ payload }) => payload);
  const fields = (number: number): Span[] =>
    graphs.flatMap((graph) => parts(graph, number).map(({ payload }) => payload));
  const made = [
    ...fields(GRAPH.node).flatMap((node) => parts(node, NODE.output).map(({ payload }) => textOf(payload))),
    ...fields(GRAPH.sparseInitializer).flatMap((sparse) =>
      parts(sparse, SPARSE.values).map(({ payload }) => textField(payload, TENSOR.name)),
    ),
  ];
  const dims = new Map<string, number[]>();
  const twice = new Set(made);
  for (const tensor of fields(GRAPH.initializer)) {
    const name = textField(tensor, TENSOR.name);
    if (dims.has(name)) twice.add(name);
    dims.set(name, dimsOf(tensor, TENSOR.dims));
  }
  for (const name of twice) dims.delete(name);
  return dims;
}

function tooDeep(): PgscoreError {
  return new PgscoreError('model_too_deep', `the model nests more than ${MAX_NESTING - 1} control-flow bodies`, {
    remedy: 'Export the model without data-dependent branches, such as `if` on tensor values.',
  });
}

type Impostor = { magic: number[]; at?: number; what: string; remedy: string };

const EXPORT_SKLEARN = "Convert the fitted model with skl2onnx: `to_onnx(model, X[:1], options={'zipmap': False})`.";
const EXPORT_TORCH = 'Export it with `torch.onnx.export(model, example, "model.onnx", dynamo=True)`.';
const EXPORT_BOOSTER = 'Convert the fitted booster with onnxmltools (`convert_xgboost`, `convert_lightgbm`).';

/** What people hand in instead of an ONNX file, recognised by its first bytes. */
const IMPOSTORS: Impostor[] = [
  { magic: [0x50, 0x4b, 0x03, 0x04], what: 'a zip archive (a PyTorch checkpoint or .npz?)', remedy: EXPORT_TORCH },
  { magic: [0x80, 0x02], what: 'a Python pickle', remedy: EXPORT_SKLEARN },
  { magic: [0x80, 0x03], what: 'a Python pickle', remedy: EXPORT_SKLEARN },
  { magic: [0x80, 0x04], what: 'a Python pickle', remedy: EXPORT_SKLEARN },
  { magic: [0x80, 0x05], what: 'a Python pickle', remedy: EXPORT_SKLEARN },
  { magic: [0x1f, 0x8b], what: 'a gzip file', remedy: 'Unpack it first.' },
  { magic: [0x89, 0x48, 0x44, 0x46], what: 'an HDF5 file (Keras?)', remedy: 'Convert it with tf2onnx.' },
  { magic: [...Buffer.from('tree\n')], what: 'a LightGBM text model', remedy: EXPORT_BOOSTER },
  { magic: [...Buffer.from('CBM1')], what: 'a CatBoost model', remedy: 'Use `save_model(path, format="onnx")`.' },
  { magic: [...Buffer.from('{')], what: 'JSON (an XGBoost model?)', remedy: EXPORT_BOOSTER },
  { magic: [...Buffer.from('<!')], what: 'an HTML page (a failed download?)', remedy: 'Download the file again.' },
  { magic: [...Buffer.from('<html')], what: 'an HTML page (a failed download?)', remedy: 'Download the file again.' },
  { magic: [...Buffer.from('<')], what: 'XML (a PMML model?)', remedy: EXPORT_SKLEARN },
  {
    magic: [...Buffer.from('version https://git-lfs')],
    what: 'a Git LFS pointer',
    remedy: 'Fetch it: `git lfs pull`.',
  },
  {
    // ONNX Runtime loads this format too, past every check of the protobuf.
    magic: [...Buffer.from('ORTM')],
    at: 4,
    what: "ONNX Runtime's own .ort format",
    remedy: 'Deploy the .onnx file that it was made from.',
  },
];

/** The kind of a file that is plainly something other than ONNX, or undefined. */
function impostorOf(bytes: Uint8Array): { what: string; remedy: string } | undefined {
  return IMPOSTORS.find(({ magic, at = 0 }) => magic.every((byte, i) => bytes[at + i] === byte));
}
