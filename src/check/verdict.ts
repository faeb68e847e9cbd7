import { type ErrorCode, codeOr, PgscoreError } from '../errors.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { ProbeReport, CheckedModel } from './check-model.ts';
import { readFrames } from './frames.ts';
import type { ModelFile } from '../onnx/model-folder.ts';

/** Descriptors of the probe, beside its standard input. */
export const VERDICT_DESCRIPTOR = 3;
export const MODEL_DESCRIPTOR = 4;
export const SERVED_DESCRIPTOR = 5;

/** What the probe is asked once a model is checked. */
export type Asked = { readonly rows: readonly JsonRow[] | null };

/**
 * What the probe hands back: what it checked, and whether it has written a graph to serve, and then the rest. A refusal comes
 * in the place of either.
 */
export type Verdict =
  | { readonly checked: Omit<CheckedModel, 'served'>; readonly changed: boolean }
  | { readonly report: Omit<ProbeReport, keyof CheckedModel> }
  | { readonly refusal: Refusal };

type Refusal = { readonly code: ErrorCode; readonly message: string; readonly remedy?: string | undefined };

/** Parsed, it may take twenty times as much. */
const MOST_VERDICT_BYTES = 64 * 2 ** 20;
const LONGEST_TEXT = 10_000;

/**
 * The report of a complete verdict, or the reason for a refusal; undefined for anything else, as a process writes it that
 * died, or that a model has got hold of. `served`: the graph that it wrote, if it can be one.
 */
export async function readVerdict(
  stream: AsyncIterable<Uint8Array>,
  served: () => Promise<ModelFile | undefined>,
  onChecked: (checked: CheckedModel<ModelFile>) => void,
): Promise<ProbeReport<ModelFile> | PgscoreError | undefined> {
  let checked: CheckedModel<ModelFile> | undefined;
  for await (const verdict of readFrames<Verdict>(stream, MOST_VERDICT_BYTES)) {
    if ('refusal' in verdict) return refused(verdict.refusal);
    if ('report' in verdict) return checked && { ...verdict.report, ...checked };
    const graph = verdict.changed ? await served() : null;
    // What was compiled is what is served.
    if (checked !== undefined || graph === undefined) return undefined;
    checked = { ...verdict.checked, served: graph };
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
