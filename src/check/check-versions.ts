import { join } from 'node:path';
import { syncNodes } from '../citus/nodes.ts';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { PgscoreError, toPgscoreError } from '../errors.ts';
import { storable } from '../lib/text.ts';
import type { Logger } from '../log.ts';
import type { CheckOptions } from './options.ts';
import { type ProbeLimits, probeModel } from './probe-model.ts';
import { acceptVersion, claimVersion, type ClaimedVersion, renewVersion, rejectVersion } from './version-queue.ts';
import { type LoadedVersion, saveOriginal } from '../models/load-version.ts';
import { inModelFolder, type ModelFile } from '../onnx/model-folder.ts';
import { makeNative, type ToProve } from './make-native.ts';
import type { RunMetrics } from '../runs/metrics.ts';
import { CompileThread, givenRows } from '../to-sql/compile-thread.ts';
import type { ProbeOptions, ProbeReport, RowsFor } from './check-model.ts';

const MOST_ATTEMPTS = 3;

type Checking = {
  readonly serviceId: string;
  readonly connection: DatabaseConnection;
  /** Renews leases while `connection` carries a large model. */
  readonly beat: DatabaseConnection;
  readonly limits: ProbeLimits;
  /** Whether models are compiled to functions. */
  readonly native: boolean;
  readonly leaseMs: number;
  readonly metrics: RunMetrics;
  readonly log: Logger;
  /** Has a version loaded where its calls are answered. */
  readonly prepare: (versionId: number, version: LoadedVersion) => Promise<void>;
  /** False when the service stops. */
  readonly goesOn: () => boolean;
};

/** Checks deployed versions, one after the other, until none waits or the service stops. */
export async function checkVersions(checking: Checking): Promise<void> {
  while (checking.goesOn()) {
    const [claimed] = await checking.connection.use((client) =>
      claimVersion(client, checking.serviceId, checking.leaseMs),
    );
    if (claimed === undefined) return;
    const renewing = setInterval(() => void renew(claimed, checking), checking.leaseMs / 3);
    await checkVersion(claimed, checking).finally(() => clearInterval(renewing));
  }
}

/** A lease that cannot be renewed runs out: the check is made again, and one verdict counts. */
async function renew(version: ClaimedVersion, { beat, leaseMs }: Checking): Promise<void> {
  await beat.use((client) => renewVersion(client, version.version_id, version.attempt, leaseMs)).catch(() => undefined);
}

async function checkVersion(version: ClaimedVersion, checking: Checking): Promise<void> {
  const { connection, metrics, log } = checking;
  const began = Date.now();
  try {
    if (version.attempt > MOST_ATTEMPTS) throw tooManyAttempts(version.attempt - 1);
    const accepted = await inModelFolder((folder) => checkIn(folder, version, checking));
    if (accepted !== undefined)
      log.info({ version: version.name, champion: accepted.champion, ms: Date.now() - began }, 'version is ready');
    metrics.checked('ready', (Date.now() - began) / 1000);
  } catch (error) {
    if (!(error instanceof PgscoreError) || error.code.startsWith('database_')) throw error;
    const { code, message, remedy } = toPgscoreError(error);
    // It may quote names of the file.
    const reason = storable(message);
    await connection.insist((client) =>
      rejectVersion(
        client,
        version.version_id,
        version.attempt,
        code,
        reason,
        remedy === undefined ? null : storable(remedy),
      ),
    );
    log.info({ version: version.name, code, ms: Date.now() - began }, `version was rejected: ${reason}`);
    metrics.checked('rejected', (Date.now() - began) / 1000);
  }
}

/** Undefined for a version that was dropped, and for one that another service gave a verdict meanwhile. */
async function checkIn(folder: string, version: ClaimedVersion, checking: Checking): ReturnType<typeof acceptVersion> {
  const { connection, limits, prepare } = checking;
  const { version_id: versionId } = version;
  const model = await connection.use((client) => saveOriginal(client, versionId, join(folder, 'model.onnx')));
  if (model === undefined) return undefined;
  const { report, toProve } = await probeAndCompile(
    model,
    { ...checkOptions(version.options), expect: version.expect ?? undefined },
    limits,
    notCompiled(version, model, checking),
  );
  const { signature, served, warnings, ...facts } = report;
  const isTriedAgain = version.attempt < MOST_ATTEMPTS;
  const native = await makeNative(connection, versionId, signature, toProve, isTriedAgain);
  if (!('reason' in native)) await connection.use(syncNodes);
  else await prepare(versionId, { ...(served ?? model), signature });
  const accepted = { signature, served, warnings, facts: { ...facts, native } };
  return connection.insist((client) => acceptVersion(client, version, accepted));
}

/** The thread that compiles takes several times as much memory, in the process of the service. */
const MOST_COMPILED_BYTES = 64 * 2 ** 20;

function notCompiled({ options }: ClaimedVersion, { size }: ModelFile, { native }: Checking): string | undefined {
  if (options['native'] === false) return 'it was deployed with native => false';
  if (size > MOST_COMPILED_BYTES) return 'its file is larger than the 64 MB up to which models are compiled';
  return native ? undefined : 'the service that checked it compiles no models (PGSCORE_NATIVE=off)';
}

function tooManyAttempts(attempts: number): PgscoreError {
  return new PgscoreError('model_check_crashed', `the service was lost ${attempts} times while it checked the model`, {
    remedy: 'Look at the log of the service, give it more memory, or deploy a smaller model.',
  });
}

/** The options of pgscore.deploy(), which checked them, by the names that the check uses. */
function checkOptions(options: Record<string, unknown>): CheckOptions {
  const { class_labels: classLabels, positive_class: positiveClass, null_values: nullValues, ...rest } = options;
  return { ...rest, classLabels, positiveClass, nullValues } as CheckOptions;
}

/**
 * Checks a model in the probe process and compiles it in a thread, at the same time. The compiler returns the rows on which its
 * functions are to be proven, and the probe runs ONNX Runtime on them. `refusal`: why the model is not to be compiled.
 * @throws PgscoreError as `probeModel` does
 */
async function probeAndCompile(
  model: ModelFile,
  options: ProbeOptions,
  limits: ProbeLimits,
  refusal?: string,
): Promise<{ report: Omit<ProbeReport<ModelFile>, 'reference'>; toProve: ToProve }> {
  if (refusal !== undefined) {
    const { reference, ...report } = await probeModel(model, options, limits);
    return { report, toProve: { compiled: { refusal }, rows: [], reference } };
  }
  const thread = new CompileThread();
  const rowsFor: RowsFor<ModelFile> = async ({ signature, served }) => {
    try {
      thread.compile({ path: (served ?? model).path, signature, given: givenRows(signature, options.expect ?? []) });
      return await thread.rows;
    } catch (error) {
      // Else whoever waits for its answer would wait for ever.
      await thread.stop();
      throw error;
    }
  };
  try {
    const { reference, ...report } = await probeModel(model, options, limits, rowsFor);
    return { report, toProve: { compiled: await thread.compiled, rows: (await thread.rows) ?? [], reference } };
  } finally {
    await thread.stop();
  }
}
