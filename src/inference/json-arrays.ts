import type { Feature } from './signature.ts';

type Shape = readonly (number | null)[];

/**
 * The elements of an array feature, row-major, out of JSON: nested as the model's dimensions are, or one list of them all.
 * undefined where it is neither, or has another length.
 */
export function flattened(
  value: unknown,
  { width, shape = [width || null] }: Pick<Feature, 'width' | 'shape'>,
): unknown[] | undefined {
  const given = typeof value === 'string' ? vectorOf(value) : value;
  if (!Array.isArray(given)) return undefined;
  const nested = given.some((item) => Array.isArray(item));
  const items = nested ? nestedItems(given, shape) : (given as unknown[]);
  return items === undefined || (width !== 0 && items.length !== width) ? undefined : items;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[-+]?\d+)?/.source;
const VECTOR = new RegExp(`^\\[${NUMBER}(?:,${NUMBER})*\\]$`);

/** The numbers of a vector of pgvector, which to_jsonb() writes as a text; undefined for any other text. As pgscore_models._vector_array(). */
function vectorOf(text: string): unknown {
  return VECTOR.test(text) ? JSON.parse(text) : undefined;
}

function nestedItems(value: unknown, [size, ...inner]: Shape): unknown[] | undefined {
  if (size === undefined) return Array.isArray(value) ? undefined : [value];
  if (!Array.isArray(value) || (size !== null && value.length !== size)) return undefined;
  const parts = value.map((item) => nestedItems(item, inner));
  const found = parts.filter((part) => part !== undefined);
  const isEven = found.every(({ length }) => length === found[0]?.length);
  return found.length === parts.length && isEven ? found.flat() : undefined;
}

/** How deep the arrays of a feature may nest. */
export function depthOf({ width, shape }: Pick<Feature, 'width' | 'shape'>): number {
  return width === 1 ? 0 : (shape?.length ?? 1);
}

/** An array as JSON has it, or as JSON, PostgreSQL and pgvector write one as text; undefined for anything else. */
export function arrayOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (/^\[.*\]$/s.test(text)) return parsed(text) ?? elementsOfText(text.slice(1, -1));
  return /^\{.*\}$/s.test(text) ? elementsOfText(text) : undefined;
}

function parsed(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const ELEMENT = /"((?:[^"\\]|\\.)*)"|[^,{}\s][^,{}]*/gs;

/** PostgreSQL's way to write an array; dimensions are not kept. */
function elementsOfText(text: string): unknown[] {
  return [...text.matchAll(ELEMENT)].map(([whole, quoted]) => {
    if (quoted !== undefined) return quoted.replaceAll(/\\(.)/gs, '$1');
    return whole.trim() === 'NULL' ? null : whole.trim();
  });
}
