import { PgscoreError } from '../errors.ts';
import { integerAttribute } from './attributes.ts';
import type { KnownNode } from './extensions.ts';

/**
 * Refuses a Concat with a part that has no elements, yet a size along the axis. ONNX Runtime skips such a part and leaves its place
 * in the result as it was in memory.
 * @throws PgscoreError model_refused_operator
 */
export function checkConcat({ node, constant }: KnownNode): void {
  const axis = integerAttribute(node, 'axis') ?? 0;
  node.inputs.forEach((name, input) => {
    const dims = constant(input) ?? [];
    if (!dims.includes(0) || (dims.at(axis) ?? 0) === 0) return;
    throw new PgscoreError(
      'model_refused_operator',
      `the model uses operator Concat, which is refused: its part '${name}' of dimensions ${dims.join(' x ')} has no elements`,
      { remedy: 'Leave the empty part out of the concatenation.' },
    );
  });
}
