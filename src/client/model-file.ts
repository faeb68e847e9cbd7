import { constants } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PgscoreError } from '../errors.ts';
import { inlineExternalData, tooLarge } from '../onnx/external-data.ts';
import { MAX_MODEL_BYTES } from '../onnx/refuse.ts';

/**
 * The bytes of an ONNX file, with the weights of the data files beside it (model.onnx.data) taken in.
 * @throws PgscoreError file_unreadable, model_data_file, model_too_large, and what `checkFile` throws
 */
export async function readModelFile(file: string): Promise<Buffer> {
  const { size } = await stat(file).catch((cause: unknown) => unreadable(file, cause));
  if (size > MAX_MODEL_BYTES) throw tooLarge();
  const bytes = await readFile(file).catch((cause: unknown) => unreadable(file, cause));
  let left = MAX_MODEL_BYTES - bytes.length;
  return asBuffer(
    await inlineExternalData(bytes, async (name) => {
      const data = await readRegularFile(join(dirname(file), name), left);
      left -= data.length;
      return data;
    }),
  );
}

/** The same bytes; Buffer.from() would copy them. */
export function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

/** Reads no link and no device: whoever wrote the model named the file, and may score with what is in it. */
async function readRegularFile(path: string, mostBytes: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(unlessLink);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw notRegular();
    if (found.size > mostBytes) throw tooLarge();
    const bytes = Buffer.allocUnsafe(found.size);
    let at = 0;
    for (let read = 1; read > 0; at += read) ({ bytesRead: read } = await file.read(bytes, at, found.size - at));
    return bytes.subarray(0, at);
  } finally {
    await file.close();
  }
}

function unlessLink(error: NodeJS.ErrnoException): never {
  throw error.code === 'ELOOP' ? notRegular() : error;
}

function notRegular(): PgscoreError {
  return new PgscoreError('model_data_file', 'the data file of the model is a link, a folder or a device', {
    remedy: 'Copy the folder of the model with what its links lead to: `cp -RL folder copy`.',
  });
}

/** @throws PgscoreError `file_unreadable` */
export function unreadable(file: string, cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new PgscoreError('file_unreadable', `cannot read ${file}: ${reason}`, {
    remedy: 'Check the path, and that you may read the file.',
    cause,
  });
}
