import { ATTRIBUTE } from './layout.ts';
import type { GraphNode } from './outline.ts';
import { Fields, FIXED32, LENGTH, VARINT, packedIntegers, textOf } from './wire.ts';

/** Long attributes of one node, read without a protobuf library, which takes 740 MB for a million numbers; [] where there is none. */
export function integersOf(node: GraphNode, name: string): number[] {
  return listOf(node, name, ATTRIBUTE.integers, (fields, list) => {
    if (fields.wire === VARINT) list.push(fields.integer());
    if (fields.wire === LENGTH) for (const value of packedIntegers(fields.span())) list.push(value);
  });
}

export function floatsOf(node: GraphNode, name: string): number[] {
  const { buffer, byteOffset } = node.part.payload.bytes;
  const view = new DataView(buffer, byteOffset);
  return listOf(node, name, ATTRIBUTE.floats, (fields, list) => {
    if (fields.wire !== FIXED32 && fields.wire !== LENGTH) return;
    for (let at = fields.start; at + 4 <= fields.end; at += 4) list.push(view.getFloat32(at, true));
  });
}

export function textsOf(node: GraphNode, name: string): string[] {
  return listOf(node, name, ATTRIBUTE.texts, (fields, list) => {
    if (fields.wire === LENGTH) list.push(textOf(fields.span()));
  });
}

function listOf<Item>(
  node: GraphNode,
  name: string,
  number: number,
  read: (fields: Fields, list: Item[]) => void,
): Item[] {
  const list: Item[] = [];
  const span = node.attributes.get(name);
  if (span === undefined) return list;
  const fields = new Fields(span);
  while (fields.next()) if (fields.number === number) read(fields, list);
  return list;
}
