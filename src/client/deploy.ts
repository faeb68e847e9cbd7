import { codeOr, PgscoreError } from '../errors.ts';
import { callFunction, rowsOf, type Argument, type Connection } from './connection.ts';
import { asBuffer, readModelFile } from './model-file.ts';
import { checkOptions, type OptionNames } from './options.ts';
import { expectCommitted, WAIT_OPTIONS, waitFor, type WaitOptions } from './wait.ts';
import type { Kind, Task } from '../inference/signature.ts';

/** How a model is deployed. What is left out is found by the check of the service. */
export type DeployOptions = WaitOptions & {
  /** Name of the model. */
  readonly model: string;
  /** Columns of a matrix input, in order, if the file does not name them. */
  readonly features?: readonly string[] | undefined;
  /** Classes in the order of the probabilities, if the file does not name them. */
  readonly classLabels?: readonly string[] | undefined;
  /** Class whose probability is the score; by default the last of two. */
  readonly positiveClass?: string | undefined;
  /** Probability from which the positive class is predicted; by default the model's own label. */
  readonly threshold?: number | undefined;
  /** `true`: the model returns logits or log-probabilities, of which pgscore makes probabilities. */
  readonly logits?: boolean | undefined;
  readonly task?: Task | Kind | undefined;
  /** Names of the values of a row, in their order, of a model that gives several: targets, labels or quantiles. */
  readonly targets?: readonly string[] | undefined;
  /** What a NULL in a number feature becomes: `auto` (default), `error` or `nan`. */
  readonly nulls?: 'auto' | 'error' | 'nan' | undefined;
  /** Values in place of NULL, by feature. */
  readonly nullValues?: unknown;
  /** Rows of features with `expected_score` or `expected_label`, which the version must reproduce. */
  readonly expect?: readonly Readonly<Record<string, unknown>>[] | undefined;
  /** `false`: compile no SQL functions, whose source everybody who may connect can read. */
  readonly native?: boolean | undefined;
  /** When the data end that the model was trained on, as PostgreSQL reads a time; by default as the file says. */
  readonly trainedUntil?: string | undefined;
  /** An alias that points at the version once it is ready. */
  readonly alias?: string | undefined;
  /** `false`: return at once, while the version is checked. */
  readonly wait?: boolean | undefined;
};

const DEPLOY_OPTIONS: OptionNames<DeployOptions> = {
  model: 'required',
  features: 'optional',
  classLabels: 'optional',
  positiveClass: 'optional',
  threshold: 'optional',
  logits: 'optional',
  task: 'optional',
  targets: 'optional',
  nulls: 'optional',
  nullValues: 'optional',
  expect: 'optional',
  native: 'optional',
  trainedUntil: 'optional',
  alias: 'optional',
  wait: 'optional',
  ...WAIT_OPTIONS,
};

/** A deployed version. */
export type Version = {
  /** Such as `churn@3`. */
  readonly version: string;
  readonly state: 'checking' | 'ready';
  /** Such as `binary`; null while it is checked. */
  readonly task: string | null;
  /** The ways to score with it, such as `batch, online, native`; null while it is checked. */
  readonly execution: string | null;
  /** What the check noticed, a sentence each. */
  readonly warnings: readonly string[];
};

const POLL_MS = 50;
const CHECK_SECONDS = 600;

/**
 * Deploys an ONNX model as the next version of `options.model` and waits until the service has checked it. The first version
 * that passes becomes champion; later ones serve after `pgscore.promote()`. Needs membership in pgscore_deployer.
 *
 * @param file path of the ONNX file, whose external data is read from beside it, or its bytes
 * @throws PgscoreError `model_…` with the reason and the remedy if the check rejects the version; `no_service` if none runs;
 *   `still_waiting` after 600 seconds or `timeoutSeconds`; `statement_failed` if PostgreSQL refuses it; `file_unreadable`;
 *   `usage` if an option does not exist or `model` is missing
 */
export async function deploy(
  connection: Connection,
  file: string | Uint8Array,
  options: DeployOptions,
): Promise<Version> {
  checkOptions('deploy', DEPLOY_OPTIONS, options);
  if (options.wait === false && options.alias !== undefined) throw aliasNeedsVerdict();
  const bytes = typeof file === 'string' ? await readModelFile(file) : asBuffer(file);
  const version = String(await callFunction(connection, 'pgscore.deploy', deployArguments(bytes, options)));
  if (options.wait === false) return { version, state: 'checking', task: null, execution: null, warnings: [] };
  await expectCommitted(connection, version);
  const { timeoutSeconds, onNotice } = options;
  const ready = await waitForVersion(connection, version, { timeoutSeconds, onNotice });
  if (options.alias !== undefined) await setAlias(connection, version, options.alias);
  return ready;
}

function deployArguments(bytes: Buffer, options: DeployOptions): Argument[] {
  return [
    ['model', 'text', options.model],
    ['bytes', 'bytea', bytes],
    ['features', 'text[]', options.features],
    ['class_labels', 'text[]', options.classLabels],
    ['targets', 'text[]', options.targets],
    ['positive_class', 'text', options.positiveClass],
    ['threshold', 'float8', options.threshold],
    ['task', 'text', options.task],
    ['logits', 'boolean', options.logits],
    ['nulls', 'text', options.nulls],
    ['null_values', 'jsonb', options.nullValues],
    ['native', 'boolean', options.native === false ? false : undefined],
    ['trained_until', 'timestamptz', options.trainedUntil],
    ['expect', 'jsonb', options.expect],
  ];
}

/** Points an alias at a ready version. */
export async function setAlias(connection: Connection, version: string, alias: string): Promise<void> {
  await callFunction(connection, 'pgscore.set_alias', [
    ['version', 'text', version],
    ['alias', 'text', alias],
  ]);
}

/**
 * Waits until the service has checked a version, such as `churn@3`.
 *
 * @throws PgscoreError as `deploy()`; `version_missing` if there is none of that name, or it is dropped meanwhile
 */
export async function waitForVersion(
  connection: Connection,
  version: string,
  options: WaitOptions = {},
): Promise<Version> {
  checkOptions('waitForVersion', WAIT_OPTIONS, options);
  const { timeoutSeconds = CHECK_SECONDS, onNotice } = options;
  return waitFor(
    async (watch) => {
      const { state, task, execution, warnings, ...verdict } = await readVersion(connection, version);
      if (state === 'ready') return { version, state, task, execution, warnings };
      if (state === 'rejected') throw rejected(version, verdict);
      await watch.expectService(connection, version);
      return undefined;
    },
    `the check of ${version}`,
    POLL_MS,
    { timeoutSeconds, onNotice },
  );
}

type VersionRow = Pick<Version, 'task' | 'execution' | 'warnings'> &
  Verdict & { readonly state: 'checking' | 'ready' | 'rejected' };

type Verdict = {
  readonly reason: string | null;
  readonly reason_code: string | null;
  readonly remedy: string | null;
};

const VERSION = `select state, task, execution, warnings, reason, reason_code, remedy
    from pgscore.models where model = $1 and version = $2`;

async function readVersion(connection: Connection, version: string): Promise<VersionRow> {
  const [found] = await rowsOf<VersionRow>(connection, VERSION, version.split('@'));
  if (found !== undefined) return found;
  throw new PgscoreError(
    'version_missing',
    `version ${version} does not exist, or was dropped while it was being checked`,
    {
      remedy: 'pgscore models lists the versions. Name one as churn@3, not by an alias.',
    },
  );
}

function rejected(version: string, { reason, reason_code: code, remedy }: Verdict): PgscoreError {
  return new PgscoreError(
    codeOr('model_rejected', code),
    `${version} was rejected: ${reason}`,
    remedy === null ? {} : { remedy },
  );
}

function aliasNeedsVerdict(): PgscoreError {
  return new PgscoreError('usage', 'an alias needs a version that is ready, so the check has to be waited for', {
    remedy: 'Leave one of them out; the alias can be set later.',
  });
}
