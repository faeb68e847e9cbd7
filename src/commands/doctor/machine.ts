import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { packageFile } from '../../lib/package-file.ts';

/** What one check found: fine, worth knowing, or in the way; and the line to run. */
export type Finding = {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly remedy?: string;
};

export function ok(check: string, detail: string): Finding {
  return { check, status: 'ok', detail };
}

export function warn(check: string, detail: string, remedy: string): Finding {
  return { check, status: 'warn', detail, remedy };
}

export function fail(check: string, detail: string, remedy: string): Finding {
  return { check, status: 'fail', detail, remedy };
}

const OLDEST_NODE = [20, 19] as const;

export function checkNode(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldMajor, oldMinor] = OLDEST_NODE;
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return ok('Node.js', version);
  return fail('Node.js', `${version} is too old`, `Install Node.js ${OLDEST_NODE.join('.')} or later.`);
}

const TIMEOUT_MS = 30_000;

/** The text of a child that loads ONNX Runtime, which never comes into this process, and tells its version. */
const LOAD = `
const { listSupportedBackends, env } = (await import(process.argv[1])).default;
process.send({ version: env.versions.node ?? env.versions.common, backends: listSupportedBackends().length });`;

/** Whether a child process can be started and load the native library. */
export async function checkOnnxRuntime(): Promise<Finding> {
  const package_ = packageFile('dist/onnxruntime/dist/index.js');
  const child = spawn(process.execPath, ['--input-type=module', '--eval', LOAD, package_], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  return new Promise((resolve) => {
    child.once('message', (message: { version: string }) =>
      resolve(ok('ONNX Runtime', `${message.version}, in a child`)),
    );
    child.once('error', (error) => resolve(notLoaded(`no child process can be started: ${error.message}`)));
    child.once('close', (code, signal) =>
      resolve(notLoaded(reasonIn(complaint) ?? `the child ended: ${signal ?? code}`)),
    );
  });
}

function reasonIn(complaint: string): string | undefined {
  return complaint.split('\n').find((line) => /error/i.test(line));
}

function notLoaded(detail: string): Finding {
  return fail(
    'ONNX Runtime',
    detail,
    'It is built for Linux on x64 and arm64, with glibc 2.28 or later, and for macOS on arm64.',
  );
}

/** ONNX Runtime's StringNormalizer asks the system for this locale by name, and fails without it. */
export async function checkLocale(): Promise<Finding> {
  const { stdout } = await promisify(execFile)('locale', ['-a']).catch(() => ({ stdout: '' }));
  if (/^en_US\.utf-?8$/im.test(stdout)) return ok('locale', 'en_US.UTF-8');
  return warn(
    'locale',
    'en_US.UTF-8 is missing; models that normalise texts cannot be loaded',
    'Debian: apt-get install locales, then localedef -i en_US -f UTF-8 en_US.UTF-8',
  );
}
