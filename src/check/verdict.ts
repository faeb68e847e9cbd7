import { type ErrorCode, codeOr, PgscoreError } from '../errors.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { ProbeReport, CheckedModel } from './check-model.ts';
import { readFrames } from './frames.ts';

/** The head of what the probe is asked once a model is checked. */
export type Asked = { readonly rows: readonly JsonRow[] | null };

/**
 * The heads of what the probe hands back: what it checked, with the bytes to serve behind it, and then the rest. A refusal
 * comes in the place of either.
 */
export type Verdict =
  | { readonly checked: Omit<CheckedModel, 'served'>; readonly changed: boolean }
  | { readonly report: Omit<ProbeReport, keyof CheckedModel> }
  | { readonly refusal: Refusal };

type Refusal = { readonly code: ErrorCode; readonly message: string; readonly remedy?: string | undefined };

/** Parsed, it may take twenty times as much. */
const MOST_HEAD_BYTES = 64 * 2 ** 20;
const LONGEST_TEXT = 10_000;

/**
 * The report of a complete verdict, or the reason for a refusal; undefined for anything else, as a process writes it that
 * died, or that a model has got hold of.
 */
export async function readVerdict(
  stream: AsyncIterable<Uint8Array>,
  onChecked: (checked: CheckedModel) => void,
): Promise<ProbeReport | PgscoreError | undefined> {
  let checked: CheckedModel | undefined;
  for await (const { head, body } of readFrames<Verdict>(stream, MOST_HEAD_BYTES)) {
    if ('refusal' in head) return refused(head.refusal);
    if ('report' in head) return checked && { ...head.report, ...checked };
    // What was compiled is what is served.
    if (checked !== undefined) return undefined;
    checked = { ...head.checked, served: head.changed ? body : null };
    onChecked(checked);
  }
  return undefined;
}

/** Errors of the database, for one, are not a model's to raise. */
function refused(refusal: Refusal | null): PgscoreError | undefined {
  const { code, message, remedy = '' } = refusal ?? {};
  const isText = (text: unknown): boolean => typeof text === 'string' && text.length <= LONGEST_TEXT;
  if (code === undefined || message === undefined || ![code, message, remedy].every(isText)) return undefined;
  if (codeOr('internal', code) !== code || !/^(?:model|feature|internal)/.test(code)) return undefined;
  return new PgscoreError(code, message, remedy === '' ? {} : { remedy });
}
