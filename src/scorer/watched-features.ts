import type { Signature } from '../model/signature.ts';
import type { WatchedFeature } from '../monitor/feature-bins.ts';

const MOST_WATCHED = 200;

/** The features of a version that are watched, as pgscore_data._watched() has them: the first 200 that are no arrays. */
export function watchedFeatures({ features }: Signature): WatchedFeature[] {
  return features
    .map(({ name, type, width }, index) => ({ feature: index + 1, name, kind: kindOf(type), width }))
    .filter(({ width }) => width === 1)
    .slice(0, MOST_WATCHED)
    .map(({ feature, name, kind }) => ({ feature, name, kind }));
}

function kindOf(type: Signature['features'][number]['type']): WatchedFeature['kind'] {
  return type === 'string' || type === 'bool' ? 'category' : 'number';
}
