import type { Link } from '../db/link.ts';
import { PgscoreError } from '../errors.ts';
import type { ModelCache } from '../model/model-cache.ts';
import { ModelSession } from '../model/session.ts';
import type { Feature } from '../model/signature.ts';
import { loadVersion, type LoadedVersion } from '../versions/load-version.ts';
import type { VersionStep } from './messages.ts';
import type { OneAtATime } from './one-at-a-time.ts';
import { WireError } from './wire-error.ts';

export type OnlineModelsOptions = {
  readonly link: Link;
  readonly cache: ModelCache;
  /** Keeps a model from being given up in the middle of its run. */
  readonly thread: OneAtATime;
  /** Versions that are not tried again. */
  readonly deadly: readonly number[];
  readonly onStep: (versionId: number, step: VersionStep) => void;
};

/** The versions that calls ask for: loaded at the first call, kept as long as the memory for models allows. */
export class OnlineModels {
  readonly #options: OnlineModelsOptions;
  readonly #loading = new Map<number, Promise<ModelSession>>();

  constructor(options: OnlineModelsOptions) {
    this.#options = options;
  }

  loaded(versionId: number): ModelSession | undefined {
    return this.#options.cache.known(versionId);
  }

  /** Loads a version, once for all who ask meanwhile. */
  load(versionId: number): Promise<ModelSession> {
    const loading = this.#loading.get(versionId) ?? this.#load(versionId);
    this.#loading.set(versionId, loading);
    const forget = (): boolean => this.#loading.delete(versionId);
    loading.then(forget, forget);
    return loading;
  }

  async #load(versionId: number): Promise<ModelSession> {
    const { link, cache, thread, deadly } = this.#options;
    if (deadly.includes(versionId)) throw notTriedAgain(versionId);
    try {
      const version = await link.insist((client) => loadVersion(client, versionId));
      return await thread.run(() => cache.get(versionId, () => this.#begin(versionId, version)));
    } catch (error) {
      throw loadFailure(error, versionId);
    }
  }

  async #begin(
    versionId: number,
    { bytes, signature }: LoadedVersion,
  ): Promise<{ session: ModelSession; size: number }> {
    const { onStep } = this.#options;
    try {
      onStep(versionId, 'load');
      const session = await ModelSession.load(bytes, signature);
      onStep(versionId, 'try');
      await warmUp(session);
      return { session, size: bytes.length };
    } finally {
      onStep(versionId, 'done');
    }
  }
}

/** The first run allocates what later ones use. What the model says of such a row is nothing to us. */
async function warmUp(session: ModelSession): Promise<void> {
  const { features } = session.signature;
  const row = Object.fromEntries(features.map((feature) => [feature.name, sample(feature)]));
  await session.predictRows([row]).catch(() => undefined);
}

function sample({ type, width }: Feature): unknown {
  if (width > 1) return Array.from({ length: width }, () => 0);
  if (type === 'bool') return false;
  return type === 'string' ? '' : 0;
}

function notTriedAgain(versionId: number): WireError {
  return new WireError('55000', `version ${versionId} hung or crashed the service whenever it was loaded`, {
    hint: 'Promote another version; a restart of the service tries it again.',
  });
}

function loadFailure(error: unknown, versionId: number): WireError {
  if (!(error instanceof PgscoreError)) {
    return new WireError('58000', `version ${versionId} could not be read from the database`, {
      hint: 'The log of the service says why; the call may succeed when tried again.',
      cause: error,
    });
  }
  if (error.code === 'version_missing') {
    return new WireError('42704', `version ${versionId} is not ready or was dropped`, {
      hint: 'pgscore.models lists the versions that can be scored with.',
      cause: error,
    });
  }
  return new WireError(error.retry ? '58000' : '55000', error.message, { hint: error.remedy, cause: error });
}
