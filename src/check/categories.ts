import { labelsAttribute } from '../onnx/attributes.ts';
import { traceFeatures } from './column-flow.ts';
import type { MappedFeature } from './features.ts';
import type { Outline } from '../onnx/outline.ts';

/**
 * The categories that the graph knows for each feature, [] where it knows none: encoders made to refuse the unknown fail
 * on any other value.
 */
export function categoriesOf(outline: Outline, features: readonly MappedFeature[]): string[][] {
  return traceFeatures(outline, features).map((arrivals) =>
    arrivals.flatMap((arrival) =>
      arrival === 'output'
        ? []
        : labelsAttribute(arrival, 'cats_strings', 'cats_int64s', 'keys_strings', 'keys_int64s'),
    ),
  );
}
