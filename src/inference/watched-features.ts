import type { Feature } from './signature.ts';

const MOST_WATCHED = 200;

/** A feature that the monitor watches: its place in the signature, from 1, and whether it is counted as a number. */
export type Watched = { readonly feature: number; readonly name: string; readonly kind: 'number' | 'category' };

/** The features of a version that are watched, as pgscore_data._watched() has them: the first 200 that are no arrays. */
export function watchedFeatures(features: readonly Feature[]): Watched[] {
  return features
    .map(({ name, type, width }, index) => ({ feature: index + 1, name, kind: kindOf(type), width }))
    .filter(({ width }) => width === 1)
    .slice(0, MOST_WATCHED)
    .map(({ feature, name, kind }) => ({ feature, name, kind }));
}

function kindOf(type: Feature['type']): Watched['kind'] {
  return type === 'string' || type === 'bool' ? 'category' : 'number';
}
