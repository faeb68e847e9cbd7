import { PgscoreError, type ErrorCode } from '../errors.ts';
import { jsonArray } from '../inference/json-rows.ts';

/** Metadata of the ONNX file under which pgscore looks for names: a JSON array, or a list with commas. */
export const FEATURES_KEY = 'pgscore.features';
export const CLASS_LABELS_KEY = 'pgscore.class_labels';

/**
 * The names under a metadata key, or undefined where the key is missing.
 * @throws PgscoreError `code` where the text is neither a JSON array nor a list
 */
export function metadataNames(
  metadata: Readonly<Record<string, string>>,
  key: string,
  code: ErrorCode,
): string[] | undefined {
  const text = Object.hasOwn(metadata, key) ? metadata[key]?.trim() : undefined;
  if (text === undefined || text === '') return undefined;
  return text.startsWith('[') ? jsonNames(text, key, code) : text.split(',').map((name) => name.trim());
}

/** A name is kept with every version, and each call of score() sends it. */
const LONGEST_BYTES = 200;

/**
 * Refuses a name that is given twice, is empty, is too long, or that PostgreSQL can not store. `kind` says what is named.
 * @throws PgscoreError `code`
 */
export function checkNames(names: readonly string[], kind: string, code: ErrorCode): void {
  checkLengths(names, kind, code);
  const seen = new Set<string>();
  const repeated = names.find((name) => seen.size === seen.add(name).size);
  const unusable = names.find((name) => name === '' || name.includes('\0'));
  if (repeated === undefined && unusable === undefined) return;
  const problem =
    repeated === undefined ? `a ${kind} is empty or holds a zero byte` : `the ${kind} '${repeated}' is given twice`;
  throw new PgscoreError(code, problem, { remedy: `Give every ${kind} once, in the order of training.` });
}

/** @throws PgscoreError `code` for a name that is too long */
export function checkLengths(names: readonly string[], kind: string, code: ErrorCode): void {
  const long = names.find((name) => Buffer.byteLength(name) > LONGEST_BYTES);
  if (long === undefined) return;
  const beginning = long.slice(0, 40);
  throw new PgscoreError(code, `the ${kind} that begins with '${beginning}' is longer than ${LONGEST_BYTES} bytes`, {
    remedy: `Give every ${kind} a shorter name.`,
  });
}

function jsonNames(text: string, key: string, code: ErrorCode): string[] {
  const names = jsonArray(text);
  if (names?.every((name) => typeof name === 'string' || typeof name === 'number') === true) return names.map(String);
  throw new PgscoreError(code, `the metadata '${key}' of the model is not a JSON array of names`, {
    remedy: `Write it with \`json.dumps(list(X.columns))\`.`,
  });
}
