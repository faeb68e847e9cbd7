import { ATTRIBUTE } from '../../onnx/layout.ts';
import type { GraphNode } from '../../onnx/outline.ts';
import { Fields, LENGTH, VARINT, packedIntegers } from '../../onnx/wire.ts';
import { NativeRefusal } from '../refusal.ts';

/** Tree nodes that a function may have: see docs/explanation/native.md for what they cost. */
export const MAX_TREE_NODES = 20_000;

/**
 * Counts the nodes of an ensemble without decoding it, which takes 740 MB for a million of them.
 * @throws NativeRefusal for more than a function may have
 */
export function checkTreeSize(node: GraphNode): void {
  const span = node.attributes.get('nodes_treeids') ?? node.attributes.get('nodes_featureids');
  if (span === undefined) return;
  let count = 0;
  const fields = new Fields(span);
  while (fields.next()) {
    if (fields.number !== ATTRIBUTE.integers) continue;
    if (fields.wire === VARINT) count += 1;
    if (fields.wire === LENGTH) count += packedIntegers(fields.span()).length;
  }
  if (count > MAX_TREE_NODES)
    throw new NativeRefusal(
      `${grouped(count)} tree nodes are more than the ${grouped(MAX_TREE_NODES)} that a function may have`,
    );
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
