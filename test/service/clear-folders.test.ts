import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';

import { inModelFolder } from '../../src/onnx/model-folder.ts';
import { clearFolders } from '../../src/service/clear-folders.ts';

const here = await mkdtemp(join(tmpdir(), 'left-'));
afterAll(() => rm(here, { recursive: true }));

async function folder(name: string): Promise<string> {
  const path = join(here, name);
  await mkdir(path);
  return path;
}

/** The name that a folder of a model has, of this process or of one that was killed. */
async function folderOfModel(of: 'this' | 'killed'): Promise<string> {
  const name = await inModelFolder(async (path) => basename(path));
  if (of === 'this') return name;
  const child = spawn(process.execPath, ['-e', 'process.kill(process.pid, "SIGKILL")']);
  await once(child, 'exit');
  return name.replace(`-${process.pid}-`, `-${child.pid}-`);
}

/** Leaves a socket behind, as a process does that is killed. */
async function listenAndDie(path: string): Promise<void> {
  const listen = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', listen]), 'exit');
}

test('folders of services that were killed are removed, those of living ones and of others stay', async () => {
  const [own, ended] = [await folderOfModel('this'), await folderOfModel('killed')];
  const left = [await folder(ended), await folder('pgscore-model-elsewhere-1-abc123'), await folder('pgscore-killed')];
  const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
  await utimes(join(here, 'pgscore-model-elsewhere-1-abc123'), twoDaysAgo, twoDaysAgo);
  await listenAndDie(join(here, 'pgscore-killed', '.s.PGSQL.8433'));
  const stay = [
    // A check's in another container: no process here has its number.
    await folder('pgscore-model-elsewhere-4194305-abc123'),
    await folder(own),
    await folder('pgscore-lives'),
    await folder('pgscore-fresh'),
    await folder('pgscore-data'),
    await folder('other'),
  ];
  const living = createServer().listen(join(here, 'pgscore-lives', '.s.PGSQL.8433'));
  await once(living, 'listening');
  await writeFile(join(here, 'pgscore-data', 'PG_VERSION'), '18');
  await clearFolders(here);
  living.close();
  await once(living, 'close');
  expect(left.filter(existsSync)).toEqual([]);
  expect(stay.filter((path) => !existsSync(path))).toEqual([]);
});

test('a folder that others can write to stays, and so does what a link leads to', async () => {
  const open = await folder('pgscore-model-elsewhere-2-abc123');
  const target = await folder('target');
  const link = join(here, 'pgscore-model-elsewhere-3-abc123');
  await writeFile(join(open, 'model.onnx'), 'anybody could have swapped it');
  await writeFile(join(target, 'precious'), 'of another program');
  await symlink(target, link);
  const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
  for (const path of [open, target]) await utimes(path, twoDaysAgo, twoDaysAgo);
  await chmod(open, 0o777);
  await clearFolders(here);
  expect([join(open, 'model.onnx'), join(target, 'precious'), link].filter((path) => !existsSync(path))).toEqual([]);
});

test('where there is no such place nothing is removed', async () => {
  await expect(clearFolders(join(here, 'missing'))).resolves.toBeUndefined();
});
