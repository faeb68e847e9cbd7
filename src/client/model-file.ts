import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PgscoreError } from '../errors.ts';
import { inlineExternalData } from '../onnx/external-data.ts';

/** The bytes of an ONNX file, with the weights of the data file beside it (model.onnx.data) taken in. */
export async function readModelFile(file: string): Promise<Buffer> {
  const bytes = await readFile(file).catch((cause: unknown) => unreadable(file, cause));
  return Buffer.from(await inlineExternalData(bytes, (name) => readFile(join(dirname(file), name))));
}

/** @throws PgscoreError `file_unreadable` */
export function unreadable(file: string, cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new PgscoreError('file_unreadable', `cannot read ${file}: ${reason}`, {
    remedy: 'Check the path, and that you may read the file.',
    cause,
  });
}
