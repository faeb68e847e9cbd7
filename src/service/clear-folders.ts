import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeOwnFolders, isLeftModelFolder } from '../onnx/model-folder.ts';
import { SOCKET_FOLDER, socketsIn } from '../online/gateway-address.ts';

/** Removes the temporary folders that services left behind when they were killed with all of their children. */
export async function clearFolders(temporary = tmpdir()): Promise<void> {
  const names = await readdir(temporary).catch(() => []);
  const left = await Promise.all(
    names.map(async (name) => {
      const folder = join(temporary, name);
      if (await isLeftModelFolder(folder)) return true;
      return name.startsWith(SOCKET_FOLDER) && (await isUnanswered(folder));
    }),
  );
  await removeOwnFolders(
    temporary,
    names.filter((_, index) => left[index] === true),
  );
}

/** Whether a folder holds a socket of a gateway, nothing else, and nobody listens there; it may be another container's. */
async function isUnanswered(folder: string): Promise<boolean> {
  const sockets = await socketsIn(folder).catch(() => []);
  if (sockets.length === 0) return false;
  const refused = await Promise.all(sockets.map(isRefused));
  return refused.every(Boolean);
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}
