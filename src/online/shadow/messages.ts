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
  /** The model of an arm is loaded and scores calls: it may hang, or end the process. */
  | { readonly type: 'scoring'; readonly arm: ShadowArm }
  /** Some rows are scored, or a part of the model is read. */
  | { readonly type: 'progress' }
  /** Nothing that happens from now on is the arm's fault. */
  | { readonly type: 'scored' }
  | { readonly type: 'warning'; readonly message: string; readonly reason: string };
