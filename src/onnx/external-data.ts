import { PgscoreError } from '../errors.ts';
import { checkFile, MAX_MODEL_BYTES } from './refuse.ts';
import { CHILDREN, ENTRY, TENSOR, type MessageKind } from './layout.ts';
import { hasExternalData } from './tensors.ts';
import { Fields, LENGTH, parts, textField, whole, type Span, lengthPrefix } from './wire.ts';

/** Reads a file of the folder that the model lies in, by its bare name. */
export type ReadDataFile = (name: string) => Promise<Uint8Array>;

type Location = { location: string; offset: number; length: number | undefined };

/**
 * The model with the values of every external tensor taken in: one file instead of the model.onnx and model.onnx.data
 * that PyTorch's exporter writes. Only files beside the model are read, each once. A model without external data comes
 * back as it is.
 * @throws PgscoreError model_data_file where a file is missing, lies elsewhere or is too short; what `checkFile` throws
 */
export async function inlineExternalData(model: Uint8Array, readFile: ReadDataFile): Promise<Uint8Array> {
  checkFile(model);
  const locations = new Set(externalTensors('model', whole(model)).map((tensor) => locationOf(tensor).location));
  if (locations.size === 0) return model;
  const files = new Map<string, Uint8Array>();
  for (const name of locations) files.set(name, await readDataFile(name, readFile));
  const pieces = inlined('model', whole(model), files) ?? [];
  if (total(pieces) > MAX_MODEL_BYTES) throw tooLarge();
  return Buffer.concat(pieces);
}

/** The error for a model that is past the limit with its data. */
export function tooLarge(): PgscoreError {
  return new PgscoreError('model_too_large', 'the model has more than 1000 MB with its data file; that is the limit', {
    remedy: 'Store the weights with less precision, or train a smaller model.',
  });
}

async function readDataFile(name: string, readFile: ReadDataFile): Promise<Uint8Array> {
  // A file that is no model's data, such as .env or another model, would be readable by whoever may score with this one.
  if (name === '' || name.startsWith('.') || name.endsWith('.onnx') || name.includes('..') || /[/\\:\0]/.test(name)) {
    throw new PgscoreError(
      'model_data_file',
      `the model wants its weights from '${name}', which is no data file beside it`,
      {
        remedy: 'Export the model again, with its data file beside it.',
      },
    );
  }
  try {
    return await readFile(name);
  } catch (cause) {
    if (cause instanceof PgscoreError) throw cause;
    throw new PgscoreError('model_data_file', `the model keeps its weights in '${name}', which can not be read`, {
      remedy: 'Put the data file that the exporter wrote beside the model, under its old name.',
      cause,
    });
  }
}

function externalTensors(kind: MessageKind, message: Span): Span[] {
  if (kind === 'tensor') return hasExternalData(message) ? [message] : [];
  return Object.entries(CHILDREN[kind]).flatMap(([number, child]) =>
    parts(message, Number(number)).flatMap(({ payload }) => externalTensors(child, payload)),
  );
}

/** The message in pieces with its external tensors taken in, or null where it has none. */
function inlined(kind: MessageKind, message: Span, files: ReadonlyMap<string, Uint8Array>): Uint8Array[] | null {
  if (kind === 'tensor') return hasExternalData(message) ? inlinedTensor(message, files) : null;
  const pieces: Uint8Array[] = [];
  let at = message.start;
  const fields = new Fields(message);
  while (fields.next()) {
    const child = fields.wire === LENGTH ? CHILDREN[kind][fields.number] : undefined;
    const replaced = child === undefined ? null : inlined(child, fields.span(), files);
    if (replaced === null) continue;
    pieces.push(message.bytes.subarray(at, fields.tag), lengthPrefix(fields.number, total(replaced)));
    for (const piece of replaced) pieces.push(piece);
    at = fields.end;
  }
  if (pieces.length === 0) return null;
  return [...pieces, message.bytes.subarray(at, message.end)];
}

function inlinedTensor(tensor: Span, files: ReadonlyMap<string, Uint8Array>): Uint8Array[] {
  const kept: Uint8Array[] = [];
  const fields = new Fields(tensor);
  while (fields.next()) {
    if (fields.number === TENSOR.externalData || fields.number === TENSOR.dataLocation) continue;
    kept.push(tensor.bytes.subarray(fields.tag, fields.end));
  }
  const values = valuesAt(locationOf(tensor), files);
  return [...kept, lengthPrefix(TENSOR.rawData, values.length), values];
}

function valuesAt({ location, offset, length }: Location, files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const file = files.get(location) ?? new Uint8Array(0);
  const end = length === undefined ? file.length : offset + length;
  if (offset <= end && end <= file.length) return file.subarray(offset, end);
  throw new PgscoreError(
    'model_data_file',
    `the data file '${location}' has ${file.length} bytes; the model wants those up to ${end}`,
    { remedy: 'The two files are not of one export, or one is cut off: export the model once more.' },
  );
}

function locationOf(tensor: Span): Location {
  const entries = new Map(
    parts(tensor, TENSOR.externalData).map(({ payload }) => [
      textField(payload, ENTRY.key),
      textField(payload, ENTRY.value),
    ]),
  );
  const length = entries.get('length');
  return {
    location: entries.get('location') ?? '',
    offset: count(entries.get('offset') ?? '0'),
    length: length === undefined ? undefined : count(length),
  };
}

function count(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new PgscoreError('model_data_file', `the model names '${text}' as a place in its data file`, {
    remedy: 'Export the model once more.',
  });
}

function total(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}
