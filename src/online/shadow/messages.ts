import type { ServiceConfig } from '../../config.ts';

/** What the process of shadows is started with: it reads no flags, and of the environment only what says how to connect. */
export type ShadowSettings = Pick<ServiceConfig, 'connecting' | 'databaseUrl' | 'batchTimeoutMs' | 'modelMemoryBytes'>;

/** An arm in the shadow of a champion. */
export type ShadowArm = { readonly experimentId: number; readonly versionId: number };

export type ToShadow =
  | { readonly type: 'start'; readonly settings: ShadowSettings }
  /** Calls wait to be scored. */
  | { readonly type: 'look' };

export type FromShadow =
  /** It scores calls by an arm from now on, which may end it. */
  | { readonly type: 'began'; readonly arm: ShadowArm }
  | { readonly type: 'alive' }
  | { readonly type: 'ended' }
  | { readonly type: 'warning'; readonly message: string; readonly reason: string };
