import { writeSync } from 'node:fs';
import { type ErrorCode, codeOr, PgscoreError } from '../errors.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { ProbeReport, CheckedModel } from './check-model.ts';
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

/** Past that, which is more than a text of Node's holds, there is no head. */
const MOST_BYTES = 2 ** 29;
const LENGTH_BYTES = 4;

/** A message between the probe and its parent: its length, and JSON. */
export function frameOf(message: object): Buffer {
  const json = Buffer.from(JSON.stringify(message));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json]);
}

/** The messages of a stream, each as soon as all of it is there; one that breaks off, or can't be read, is none, and the last. */
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
      // Nothing of a frame is held here while it is being worked on.
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
