import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { inModelFolder, type ModelFile } from '../../src/onnx/model-folder.ts';
import { probeModel } from '../../src/check/probe-model.ts';

/** Runs `work` with a model in a temporary file, which is alone in its folder. */
export function withModelFile<T>(bytes: Uint8Array, work: (model: ModelFile) => Promise<T>): Promise<T> {
  return inModelFolder(async (folder) => {
    const path = join(folder, 'model.onnx');
    await writeFile(path, bytes);
    return work({ path, size: bytes.length });
  });
}

type AsProbed = Parameters<typeof probeModel> extends [unknown, ...infer Rest] ? Rest : never;

/** Checks a model as the service does, in a process of its own. */
export function probeBytes(bytes: Uint8Array, ...as: AsProbed): ReturnType<typeof probeModel> {
  return withModelFile(bytes, (model) => probeModel(model, ...as));
}
