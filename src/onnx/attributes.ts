import { AttributeProtoSchema } from 'onnx-buf';
import { decode } from './decode.ts';
import { ATTRIBUTE } from './layout.ts';
import type { GraphNode } from './outline.ts';
import { Fields, LENGTH, VARINT, packedIntegers } from './wire.ts';

/** Attributes of one node, decoded when asked for: those asked for are small. */
export function integerAttribute(node: GraphNode, name: string): number | undefined {
  const attribute = attributeOf(node, name);
  return attribute === undefined ? undefined : Number(attribute.i);
}

export function floatAttribute(node: GraphNode, name: string): number | undefined {
  return attributeOf(node, name)?.f;
}

export function textAttribute(node: GraphNode, name: string): string | undefined {
  const bytes = attributeOf(node, name)?.s;
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

/** The labels in the first of these attributes that holds any: strings as they are, integers in decimal. */
export function labelsAttribute(node: GraphNode, ...names: string[]): string[] {
  for (const name of names) {
    const attribute = attributeOf(node, name);
    const labels = attribute?.strings.map((bytes) => Buffer.from(bytes).toString('utf8')) ?? [];
    if (labels.length > 0) return labels;
    if (attribute !== undefined && attribute.ints.length > 0) return attribute.ints.map(String);
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

function attributeOf(node: GraphNode, name: string) {
  const span = node.attributes.get(name);
  return span === undefined ? undefined : decode(AttributeProtoSchema, span);
}
