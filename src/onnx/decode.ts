import { fromBinary } from '@bufbuild/protobuf';
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { PgscoreError } from '../errors.ts';
import { bytesOf } from './wire.ts';
import type { Span } from './wire.ts';

/**
 * Decodes one small message.
 * @throws PgscoreError model_unreadable
 */
export function decode<Desc extends DescMessage>(schema: Desc, span: Span): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytesOf(span));
  } catch (cause) {
    throw new PgscoreError('model_unreadable', `the file is not a valid ONNX model: broken bytes at ${span.start}`, {
      remedy: 'Check the file with onnx.checker.check_model, or export the model once more.',
      cause,
    });
  }
}
