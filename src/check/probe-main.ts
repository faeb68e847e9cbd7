/**
 * The probe process: on stdin the frame of a model and, once that is checked, one of rows to score; on descriptor 3 the frames
 * of a verdict. Its argument is its parent's pid.
 */
import { toPgscoreError } from '../errors.ts';
import { endWithParent } from '../lib/child-process.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import { checkModel, type ProbeOptions, type CheckedModel } from './check-model.ts';
import { readFrames, writeFrame, type Frame } from './frames.ts';
import type { Asked, Verdict } from './verdict.ts';

const VERDICT_DESCRIPTOR = 3;

// ONNX Runtime blocks this thread, for ever where a model never ends.
endWithParent(Number(process.argv[2]));

const frames = readFrames<object>(process.stdin);
const request = await next<ProbeOptions>();
if (request !== undefined) tell(await judge(request));
process.exit(0);

async function next<Head extends object>(): Promise<Frame<Head> | undefined> {
  const { value } = await frames.next();
  return value as Frame<Head> | undefined;
}

async function judge({ head, body }: Frame<ProbeOptions>): Promise<Verdict> {
  try {
    const { signature: _, served: __, ...report } = await checkModel(body, head, rowsFor);
    return { report };
  } catch (error) {
    const { code, message, remedy } = toPgscoreError(error);
    return { refusal: { code, message, remedy } };
  }
}

async function rowsFor({ served, ...checked }: CheckedModel): Promise<readonly JsonRow[] | null> {
  tell({ checked, changed: served !== null }, served ?? undefined);
  const asked = await next<Asked>();
  return asked?.head.rows ?? null;
}

function tell(head: Verdict, body: Uint8Array = new Uint8Array(0)): void {
  writeFrame(VERDICT_DESCRIPTOR, { head, body });
}
