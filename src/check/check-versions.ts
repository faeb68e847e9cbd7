import type { DatabaseConnection } from '../postgres/connection.ts';
import { PgscoreError, toPgscoreError } from '../errors.ts';
import { storable } from '../lib/text.ts';
import type { Logger } from '../log.ts';
import type { DeployOptions } from './deploy-options.ts';
import { type ProbeLimits, probeModel } from './probe-model.ts';
import { acceptVersion, claimVersion, type ClaimedVersion, renewVersion, rejectVersion } from './version-queue.ts';
import { type LoadedVersion, readOriginal } from './load-version.ts';
import { makeNative, type ToProve } from './make-native.ts';
import type { RunMetrics } from '../runs/metrics.ts';
import { CompileThread } from '../to-sql/compile-thread.ts';
import { givenRows } from '../to-sql/given-rows.ts';
import type { ProbeOptions, ProbeReport, RowsFor } from './check-model.ts';

const MOST_ATTEMPTS = 3;

type Checking = {
  readonly worker: string;
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
      claimVersion(client, checking.worker, checking.leaseMs),
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
  const { connection, limits, prepare, metrics, log } = checking;
  const began = Date.now();
  try {
    if (version.attempt > MOST_ATTEMPTS) throw tooManyAttempts(version.attempt - 1);
    const bytes = await connection.use((client) => readOriginal(client, version.version_id));
    if (bytes === undefined) return;
    const { report, toProve } = await probeAndCompile(
      bytes,
      { ...deployOptions(version.options), expect: version.expect ?? undefined },
      limits,
      notCompiled(version, checking),
    );
    const { signature, served, warnings, ...facts } = report;
    const isTriedAgain = version.attempt < MOST_ATTEMPTS;
    const native = await makeNative(connection, version.version_id, signature, toProve, isTriedAgain);
    if ('reason' in native) await prepare(version.version_id, { bytes: served ?? bytes, signature });
    const accepted = await connection.insist((client) =>
      acceptVersion(client, version, {
        signature,
        warnings,
        facts: { ...facts, native },
        served: served === null ? [] : piecesOf(served),
      }),
    );
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

/** As the database keeps them. */
const PIECE_BYTES = 8 * 2 ** 20;

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

function notCompiled({ options }: ClaimedVersion, { native }: Checking): string | undefined {
  if (options['native'] === false) return 'it was deployed with native => false';
  return native ? undefined : 'the service that checked it compiles no models (PGSCORE_NATIVE=off)';
}

function tooManyAttempts(attempts: number): PgscoreError {
  return new PgscoreError('model_check_crashed', `the service was lost ${attempts} times while it checked the model`, {
    remedy: 'Look at the log of the service, give it more memory, or deploy a smaller model.',
  });
}

/** The options of pgscore.deploy(), which checked them, by the names that the check uses. */
function deployOptions(options: Record<string, unknown>): DeployOptions {
  const { class_labels: classLabels, positive_class: positiveClass, null_values: nullValues, ...rest } = options;
  return { ...rest, classLabels, positiveClass, nullValues } as DeployOptions;
}

/**
 * Checks a model and compiles it: each in a place of its own, at the same time. The compiler says on which rows the functions are to
 * be proven, the check says what ONNX Runtime makes of them. `refusal`: why it is not to be compiled.
 * @throws PgscoreError as `probeModel` does
 */
async function probeAndCompile(
  model: Uint8Array,
  options: ProbeOptions,
  limits: ProbeLimits,
  refusal?: string,
): Promise<{ report: Omit<ProbeReport, 'reference'>; toProve: ToProve }> {
  if (refusal !== undefined) {
    const { reference, ...report } = await probeModel(model, options, limits);
    return { report, toProve: { compiled: { refusal }, rows: [], reference } };
  }
  const thread = new CompileThread();
  const rowsFor: RowsFor = async ({ signature, served }) => {
    try {
      thread.compile({ bytes: served ?? model, signature, given: givenRows(signature, options.expect ?? []) });
      return await thread.rows;
    } catch (error) {
      // It was asked nothing, and is waited for.
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
