import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { readFileSync } from 'node:fs';
import { PgscoreError } from '../errors.ts';
import { PipedProgram } from '../lib/child-process.ts';
import { limitWork } from '../lib/work-time.ts';
import { MAX_MODEL_BYTES } from '../onnx/refuse.ts';
import type { ProbeOptions, ProbeReport, RowsFor, CheckedModel } from './check-model.ts';
import { frameOf, readVerdict, type Asked } from './probe-messages.ts';
import type { ModelFile } from '../onnx/model-folder.ts';

export type ProbeLimits = {
  /** CPU time from start to verdict; default a minute. */
  readonly timeMs?: number | undefined;
  /** Resident memory of the probe, beside the size of the file; default 4 GiB. */
  readonly memoryBytes?: number | undefined;
  /** Breaks the check off, which then raises its reason. */
  readonly signal?: AbortSignal | undefined;
};

const DEFAULT_LIMITS = { timeMs: 60_000, memoryBytes: 4 * 1024 ** 3 };
/** The last words of a probe that died. */
const STDERR_KEPT = 2000;

/**
 * Checks one model in a process of its own: without database credentials, without environment, in an empty directory,
 * killed when it takes too long or too much memory. This process never runs the model: it reads the verdict of that one.
 * `model`: in a folder for this check alone, where the graph to serve is written, too.
 * @throws PgscoreError for a model that is refused, and model_check_timeout, model_check_memory, model_check_crashed;
 * another Error where it came to no verdict
 */
export async function probeModel(
  model: ModelFile,
  options: ProbeOptions = {},
  limits: ProbeLimits = {},
  rowsFor: RowsFor<ModelFile> = () => Promise.resolve(null),
): Promise<ProbeReport<ModelFile>> {
  const served = join(dirname(model.path), 'served.onnx');
  const probe = await start(model.path, served);
  const guard = guarded(probe, model, limits);
  try {
    const ask = (checked: CheckedModel<ModelFile>): void => void sendRows(probe.request, rowsFor(checked));
    // It is of no more use after its verdict, or after one that cannot be read.
    const report = readVerdict(probe.answer, () => servedFile(served), ask).finally(() => probe.kill());
    const ended = Promise.all([probe.exited, report, collect(probe.lastWords)]);
    probe.request.write(frameOf(options));
    const [how, verdict, lastWords] = await ended.catch(notStarted);
    if (verdict instanceof PgscoreError) throw verdict;
    if (verdict !== undefined) return verdict;
    throw guard.reason() ?? died(how, Buffer.concat(lastWords).toString());
  } finally {
    guard.end();
  }
}

/** Kills a probe that exceeds its limits, or whose check is broken off. `reason`: why it was killed. */
function guarded(
  probe: PipedProgram,
  { size }: ModelFile,
  { timeMs = DEFAULT_LIMITS.timeMs, memoryBytes = DEFAULT_LIMITS.memoryBytes, signal }: ProbeLimits,
): { reason: () => Error | undefined; end: () => void } {
  let reason: Error | undefined;
  const kill = (why: Error): void => {
    reason ??= why;
    probe.kill();
  };
  const pid = probe.pid ?? 0;
  const liftLimit = limitWork(pid, timeMs, (starved) => kill(starved ? starvedCheck() : tookTooLong(timeMs)));
  const mostBytes = memoryBytes + size;
  const stopWatch = watchMemory(pid, mostBytes, () => kill(tookTooMuch(mostBytes)));
  const breakOff = (): void => kill(new Error('the check was broken off'));
  signal?.addEventListener('abort', breakOff);
  if (signal?.aborted === true) breakOff();
  const end = (): void => {
    liftLimit();
    stopWatch();
    signal?.removeEventListener('abort', breakOff);
  };
  return { reason: () => reason, end };
}

async function start(model: string, served: string): Promise<PipedProgram> {
  const directory = join(dirname(model), 'probe');
  await mkdir(directory);
  const files = [await open(model), await open(served, 'wx', 0o600)];
  const probe = new PipedProgram(
    'check/probe-main',
    directory,
    files.map(({ fd }) => fd),
    { env: { PATH: '/usr/bin:/bin' }, arguments: [String(process.pid)] },
  );
  await Promise.all(files.map((file) => file.close()));
  if (probe.pid === undefined) return notStarted(await probe.exited);
  // A probe that dies early leaves a broken pipe; how it died says more.
  probe.request.on('error', () => {});
  return probe;
}

/** Rewriting a graph adds some kilobytes to it. */
const MOST_SERVED_BYTES = 2 * MAX_MODEL_BYTES;

async function servedFile(path: string): Promise<ModelFile | undefined> {
  const { size } = await stat(path);
  return size > 0 && size <= MOST_SERVED_BYTES ? { path, size } : undefined;
}

/** If the rows cannot be made, none are sent: the check finds out what is wrong with them and reports it. */
async function sendRows(request: Writable, rows: ReturnType<RowsFor>): Promise<void> {
  const asked: Asked = { rows: await rows.catch(() => null) };
  request.end(frameOf(asked));
}

async function collect(stream: Readable): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return chunks;
}

function tookTooLong(timeMs: number): PgscoreError {
  return new PgscoreError(
    'model_check_timeout',
    `the check of the model took more than ${timeMs / 1000} s of CPU time`,
    {
      remedy: 'Deploy a smaller model, or raise --check-timeout of the service.',
    },
  );
}

/** Says nothing of the model: the check is tried again. */
function starvedCheck(): Error {
  return new Error('the check of the model got too little CPU time');
}

function tookTooMuch(memoryBytes: number): PgscoreError {
  const mebibytes = Math.round(memoryBytes / 1024 ** 2);
  return new PgscoreError('model_check_memory', `the check of the model took more than ${mebibytes} MiB of memory`, {
    remedy: 'Deploy a smaller model, or raise --check-memory of the service.',
  });
}

function notStarted(cause: unknown): never {
  throw new PgscoreError('model_check_crashed', 'the process that checks models could not be started', {
    remedy: 'Check the limits on processes, open files and memory of this host.',
    cause,
  });
}

function died(how: string, lastWords: string): PgscoreError {
  const words = lastWords.trim().slice(-STDERR_KEPT);
  return new PgscoreError('model_check_crashed', `the check of the model died (${how})${words && `: ${words}`}`, {
    remedy:
      how === 'SIGFPE'
        ? 'It divides a whole number by zero, as the export of KNNImputer does where nothing is missing: use SimpleImputer, or fill values in before the model.'
        : 'Load the model with onnxruntime in Python: where that crashes too, export it once more.',
  });
}

/** Fast enough that a process gains some hundred MB at most between two looks. */
const LOOK_EVERY_MS = 50;

/**
 * Calls `exceeded` once when the resident memory of a process passes the limit. Where there is no /proc, nothing is
 * watched. Returns a function that stops the watch.
 */
function watchMemory(pid: number, limitBytes: number, exceeded: () => void): () => void {
  const timer = setInterval(() => {
    if (residentBytes(pid) <= limitBytes) return;
    clearInterval(timer);
    exceeded();
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

/** Resident bytes of a process, 0 where that is not known. */
function residentBytes(pid: number): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}
