import { writeSync } from 'node:fs';
import { type ErrorCode, codeOr, PgscoreError } from '../errors.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { ProbeReport, CheckedModel } from './check-model.ts';
import type { ModelFile } from '../onnx/model-folder.ts';

/** Descriptors of the probe, beside its standard input. */
export const VERDICT_DESCRIPTOR = 3;
export const MODEL_DESCRIPTOR = 4;
export const SERVED_DESCRIPTOR = 5;

/** The rows that the probe is to score once a model is checked. */
export type Asked = { readonly rows: readonly JsonRow[] | null };

/**
 * What the probe sends: first what it checked, and whether it wrote a graph to serve; then the rest of the report. A refusal may
 * take the place of either.
 */
export type Verdict =
  | { readonly checked: Omit<CheckedModel, 'served'>; readonly changed: boolean }
  | { readonly report: Omit<ProbeReport, keyof CheckedModel> }
  | { readonly refusal: Refusal };

type Refusal = { readonly code: ErrorCode; readonly message: string; readonly remedy?: string | undefined };

/** Once parsed it may take twenty times as much memory. */
const MOST_VERDICT_BYTES = 64 * 2 ** 20;
const LONGEST_TEXT = 10_000;

/**
 * The report of a complete verdict, or the reason for a refusal. Undefined for anything else: the process died, or the model took
 * it over. `served`: the graph that it wrote, if it can be one.
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
    // A second graph would be served instead of the one that was compiled.
    if (checked !== undefined || graph === undefined) return undefined;
    checked = { ...verdict.checked, served: graph };
    onChecked(checked);
  }
  return undefined;
}

/** A model may not raise codes of other parts, such as those of the database. */
function refused(refusal: Refusal | null): PgscoreError | undefined {
  const { code, message, remedy = '' } = refusal ?? {};
  const isText = (text: unknown): boolean => typeof text === 'string' && text.length <= LONGEST_TEXT;
  if (code === undefined || message === undefined || ![code, message, remedy].every(isText)) return undefined;
  if (codeOr('internal', code) !== code || !/^(?:model|feature|internal)/.test(code)) return undefined;
  return new PgscoreError(code, message, remedy === '' ? {} : { remedy });
}

/** Node's strings hold less: a greater length was not written by frameOf(). */
const MOST_BYTES = 2 ** 29;
const LENGTH_BYTES = 4;

/** A message between the probe and its parent: the length of the JSON, and the JSON. */
export function frameOf(message: object): Buffer {
  const json = Buffer.from(JSON.stringify(message));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json]);
}

/** Yields each message of a stream once it is complete. Ends at the first that is cut off or cannot be read. */
export async function* readFrames<Message extends object>(
  stream: AsyncIterable<Uint8Array>,
  mostBytes = MOST_BYTES,
): AsyncGenerator<Message, void> {
  let chunks: Uint8Array[] = [];
  let held = 0;
  let wanted = LENGTH_BYTES;
  for await (const chunk of stream) {
    chunks.push(chunk);
    held += chunk.length;
    while (held >= wanted) {
      const bytes = Buffer.concat(chunks);
      const length = bytes.readUInt32LE();
      if (length > mostBytes) return;
      const end = LENGTH_BYTES + length;
      const whole = held >= end;
      wanted = whole ? LENGTH_BYTES : end;
      // Lets go of the bytes of a frame while its message is worked on.
      chunks = [whole ? bytes.subarray(end) : bytes];
      held = chunks[0]?.length ?? 0;
      if (!whole) continue;
      const message = readMessage(bytes.subarray(LENGTH_BYTES, end));
      if (message === undefined) return;
      yield message as Message;
    }
  }
}

function readMessage(bytes: Buffer): object | undefined {
  try {
    const message: unknown = JSON.parse(bytes.toString());
    return typeof message === 'object' && message !== null ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Writes to a blocking pipe or a file, all of it. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length;) sent += writeSync(descriptor, bytes, sent);
}
