import type { Signature } from '../model/signature.ts';
import { compileNative } from './compile.ts';
import { partsOf } from './parts.ts';
import type { Part } from './parts.ts';
import { NativeRefusal } from './refusal.ts';
import { renderNative } from './render.ts';
import type { NativeBody } from './render.ts';

/** The bodies of a version's functions, whose arguments are $1, $2, … in the order of the features; or why it has none. */
export type Compiled = { readonly bodies: Partial<Record<Part, NativeBody>> } | { readonly refusal: string };

/** A function takes a hundred arguments at most. */
const MOST_FEATURES = 100;

export function compiled(bytes: Uint8Array, signature: Signature): Compiled {
  const { length } = signature.features;
  if (length > MOST_FEATURES)
    return { refusal: `${length} features are more than the ${MOST_FEATURES} arguments that a function may have` };
  try {
    const program = compileNative(bytes, signature);
    const body = (part: Part): NativeBody => renderNative(program, part, (feature) => `$${feature + 1}`);
    return { bodies: Object.fromEntries(partsOf(signature).map((part) => [part, body(part)])) };
  } catch (error) {
    if (error instanceof NativeRefusal) return { refusal: error.message };
    throw error;
  }
}
