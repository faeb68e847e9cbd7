import { PgscoreError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

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

function jsonNames(text: string, key: string, code: ErrorCode): string[] {
  const names = parse(text);
  if (Array.isArray(names) && names.every((name) => typeof name === 'string' || typeof name === 'number')) {
    return names.map(String);
  }
  throw new PgscoreError(code, `the metadata '${key}' of the model is not a JSON array of names`, {
    remedy: `Write it with \`json.dumps(list(X.columns))\`.`,
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
