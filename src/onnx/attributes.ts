import { Fields, LENGTH, VARINT, packedIntegers, FIXED32, textOf } from './wire.ts';
import { ATTRIBUTE } from './layout.ts';
import { readAttribute, type AttributeMessage } from './messages.ts';
import type { GraphNode } from './outline.ts';

/** Attributes of one node, decoded when asked for: those asked for are small. */
export function integerAttribute(node: GraphNode, name: string): number | undefined {
  const attribute = attributeOf(node, name);
  return attribute === undefined ? undefined : Number(attribute.integer);
}

export function floatAttribute(node: GraphNode, name: string): number | undefined {
  return attributeOf(node, name)?.float;
}

export function textAttribute(node: GraphNode, name: string): string | undefined {
  const bytes = attributeOf(node, name)?.text;
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

/** The labels in the first of these attributes that holds any: strings as they are, integers in decimal. */
export function labelsAttribute(node: GraphNode, ...names: string[]): string[] {
  for (const name of names) {
    const attribute = attributeOf(node, name);
    const labels = attribute?.texts.map((bytes) => Buffer.from(bytes).toString('utf8')) ?? [];
    if (labels.length > 0) return labels;
    if (attribute !== undefined && attribute.integers.length > 0) return attribute.integers.map(String);
  }
  return [];
}

/** Whether a list of flags, one for each node of an ensemble, holds a 1; 1.15 M of them are stepped over in 10 ms. */
export function anyFlagSet(node: GraphNode, name: string): boolean {
  const span = node.attributes.get(name);
  if (span === undefined) return false;
  const fields = new Fields(span);
  while (fields.next()) {
    if (fields.number !== ATTRIBUTE.integers) continue;
    if (fields.wire === VARINT && fields.integer() !== 0) return true;
    if (fields.wire === LENGTH && packedIntegers(fields.span()).some((flag) => flag !== 0)) return true;
  }
  return false;
}

function attributeOf(node: GraphNode, name: string): AttributeMessage | undefined {
  const span = node.attributes.get(name);
  return span === undefined ? undefined : readAttribute(span);
}

/** Long attributes of one node, not as messages, which take 740 MB for a million numbers; [] where there is none. */
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
