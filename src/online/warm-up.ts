import { GraphLost } from '../inference/graph-lost.ts';
import type { ModelSession } from '../inference/session.ts';
import type { Feature } from '../inference/signature.ts';

/**
 * The first run allocates what later ones use. What the model says of such a row is nothing to us.
 * @throws GraphLost
 */
export async function warmUp(session: ModelSession): Promise<void> {
  const { features } = session.signature;
  const row = Object.fromEntries(features.map((feature) => [feature.name, sample(feature)]));
  try {
    await session.predictRows([row]);
  } catch (error) {
    if (error instanceof GraphLost) throw error;
  }
}

function sample({ type, width }: Feature): unknown {
  if (width > 1) return Array.from({ length: width }, () => 0);
  if (type === 'bool') return false;
  return type === 'string' ? '' : 0;
}
