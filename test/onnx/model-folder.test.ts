import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { expect, test } from '@jest/globals';

import { inModelFolder, writeModelFile } from '../../src/onnx/model-folder.ts';

async function* pieces(): AsyncGenerator<Buffer> {
  yield Buffer.from('one ');
  yield Buffer.from('model');
}

test('a model is put together from its pieces, for nobody else to read, and goes with its folder', async () => {
  const path = await inModelFolder(async (folder) => {
    const model = await writeModelFile(join(folder, 'model.onnx'), pieces());
    expect(model.size).toBe(9);
    expect(await readFile(model.path, 'utf8')).toBe('one model');
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(model.path)).mode & 0o777).toBe(0o600);
    return model.path;
  });
  await expect(stat(dirname(path))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a disk that is full is said to be', async () => {
  await expect(writeModelFile('/dev/full', pieces())).rejects.toMatchObject({
    code: 'model_disk_full',
    remedy: expect.stringContaining('TMPDIR'),
  });
});
