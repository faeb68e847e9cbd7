import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';

import { readModelFile } from '../../src/client/model-file.ts';
import { refuseUnsafe, MAX_MODEL_BYTES } from '../../src/onnx/refuse.ts';
import { external, node, onnxModel } from '../support/onnx-builder.ts';

const above = await mkdtemp(join(tmpdir(), 'pgscore-test-'));
const WEIGHTS = Buffer.from(Float32Array.of(2, 3, 4).buffer);
const MODEL = onnxModel({
  nodes: [node('MatMul', ['X', 'w'], ['y'])],
  tensors: [external('w', [3, 1], { location: 'model.onnx.data' })],
});
let made = 0;
let model: string;
let data: string;

beforeEach(async () => {
  made += 1;
  const folder = join(above, String(made));
  await mkdir(folder);
  [model, data] = [join(folder, 'model.onnx'), join(folder, 'model.onnx.data')];
  await writeFile(model, MODEL);
});

afterAll(() => rm(above, { recursive: true }));

describe('the data file beside a model', () => {
  test('is taken in', async () => {
    await writeFile(data, WEIGHTS);
    const bytes = await readModelFile(model);
    expect(() => refuseUnsafe(bytes)).not.toThrow();
    expect(bytes.includes(WEIGHTS)).toBe(true);
  });

  test.each([
    ['a link', () => symlink('/etc/hostname', data)],
    ['a folder', () => mkdir(data)],
    ['a pipe, which would never end', () => Promise.resolve(execFileSync('mkfifo', [data]))],
  ])('is not read where it is %s', async (_, make) => {
    await make();
    await expect(readModelFile(model)).rejects.toMatchObject({
      code: 'model_data_file',
      message: 'the data file of the model is a link, a folder or a device',
      remedy: expect.stringContaining('cp -RL'),
    });
  });

  test('must be there', async () => {
    await expect(readModelFile(model)).rejects.toMatchObject({ code: 'model_data_file' });
  });

  test('counts with the model, before it is read', async () => {
    await writeFile(data, '');
    await truncate(data, MAX_MODEL_BYTES - MODEL.length + 1);
    await expect(readModelFile(model)).rejects.toMatchObject({ code: 'model_too_large' });
  });
});

test('a model past the limit is not read', async () => {
  await truncate(model, MAX_MODEL_BYTES + 1);
  await expect(readModelFile(model)).rejects.toMatchObject({ code: 'model_too_large' });
});
