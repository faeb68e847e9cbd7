import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Removes those folders of a shared place that are this user's and that nobody else can write to: in another, paths may change meanwhile. */
export async function removeOwnFolders(place: string, names: readonly string[]): Promise<void> {
  const removal = async (name: string): Promise<void> => {
    const folder = join(place, name);
    if (await isOwn(folder)) await rm(folder, { recursive: true });
  };
  await Promise.all(names.map((name) => removal(name).catch(() => undefined)));
}

async function isOwn(folder: string): Promise<boolean> {
  const found = await lstat(folder);
  return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
}
