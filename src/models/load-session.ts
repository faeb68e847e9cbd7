import { join } from 'node:path';
import { loadModelSession } from '../inference/load-model-session.ts';
import type { ModelSession } from '../inference/session.ts';
import { inModelFolder } from '../onnx/model-folder.ts';
import type { Queryable } from '../postgres/statement.ts';
import { saveVersion } from './load-version.ts';

/**
 * Loads a version from a temporary file. `size`: of that file. `onPiece`: some of it has arrived.
 * Not in load-version.ts: the service imports that, and must not load ONNX Runtime.
 * @throws PgscoreError version_missing, model_disk_full, model_load_failed
 */
export function loadSession(
  client: Queryable,
  versionId: number,
  onPiece: () => void,
): Promise<{ session: ModelSession; size: number }> {
  return inModelFolder(async (folder) => {
    const model = await saveVersion(client, versionId, join(folder, 'model.onnx'), onPiece);
    return { session: await loadModelSession(model, model.signature), size: model.size };
  });
}
