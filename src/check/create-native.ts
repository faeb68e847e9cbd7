import { statement } from '../postgres/statement.ts';
import type { Signature } from '../inference/signature.ts';
import type { Part } from '../to-sql/parts.ts';
import type { NativeBody } from '../to-sql/render.ts';

/** Creates the compiled functions of a version. Until it is ready nobody but the service may call them. */
export const createNative = statement<
  [versionId: number, features: string, bodies: string],
  { _create_native: string }
>('create_native', 'select pgscore_data._create_native($1, $2, $3)');

export type Bodies = Partial<Record<Part, NativeBody>>;

/** As `createNative` takes them: node-pg would make a PostgreSQL array of the features. */
export function nativeArguments(
  versionId: number,
  { features }: Signature,
  bodies: Bodies,
): Parameters<typeof createNative> extends [unknown, ...infer Values] ? Values : never {
  return [versionId, JSON.stringify(features), JSON.stringify(bodies)];
}
