import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { PgscoreError } from '../errors.ts';
import { binariesIn, versionOfPrograms, type Binaries } from './binaries.ts';
import type { Notice, ServerUser } from './program.ts';

const run = promisify(execFile);

/** Where root puts what lies, for its server's user, behind a closed folder such as /root (0700). */
const SHARED = '/var/lib/pgscore';

/** The data directory asked for, created and given to the server's user, or its stand-in where that user can get. */
export async function reachableDataDir(wanted: string, user: ServerUser, notice: Notice): Promise<string> {
  const asked = resolve(wanted);
  await ownDirectory(asked, user);
  if (await isReachable(asked, user)) return asked;

  await rmdir(asked).catch(() => undefined);
  const place = join(await sharedDirectory(), standInName(asked));
  await ownDirectory(place, user);
  notice(`the server's user cannot get into ${dirname(asked)}, so its data is in ${place}`);
  return place;
}

/** The binaries, or a copy of them where the server's user can execute them. */
export async function reachableBinaries(binaries: Binaries, user: ServerUser, notice: Notice): Promise<Binaries> {
  if (await isReachable(binaries.postgres, user)) return binaries;

  const place = join(await sharedDirectory(), `postgresql-${await versionOfPrograms(binaries)}`);
  if (!existsSync(place)) {
    await copyWhole(binaries.root, place);
    notice(`the server's user cannot get into ${binaries.root}, so it runs a copy in ${place}`);
  }
  return binariesIn(place);
}

async function isReachable(path: string, user: ServerUser): Promise<boolean> {
  if (user.uid === undefined) return true;
  return run('test', ['-x', path], user).then(
    () => true,
    () => false,
  );
}

async function sharedDirectory(): Promise<string> {
  await mkdir(SHARED, { recursive: true });
  await chmod(SHARED, 0o755);
  return SHARED;
}

/** Makes the copy appear at once, for whoever else looks for it or makes it. */
async function copyWhole(from: string, to: string): Promise<void> {
  const unfinished = await mkdtemp(`${to}.new-`);
  await cp(from, unfinished, { recursive: true, verbatimSymlinks: true });
  await chmod(unfinished, 0o755);
  await rename(unfinished, to).catch(async (error: unknown) => {
    await rm(unfinished, { recursive: true });
    if (!existsSync(to)) throw error;
  });
}

/** `.pgscore-3f9a2c41` for `/root/pgscore/.pgscore`: the same at every start, and another for every path. */
function standInName(path: string): string {
  return `${basename(path)}-${createHash('sha256').update(path).digest('hex').slice(0, 8)}`;
}

/** Makes the directory and gives it to the server's user; one that holds anything stays as it is. */
async function ownDirectory(path: string, user: ServerUser): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await mkdir(path, { recursive: true, mode: 0o700 });
    if ((await readdir(path)).length === 0) await give(path, user);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PgscoreError('embedded_failed', `the data directory cannot be made: ${reason}`, {
      remedy: 'give an empty or new directory that this user may write',
      cause,
    });
  }
}

/** Hands a file or folder of this process to the server's user. */
export async function give(path: string, { uid, gid }: ServerUser): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
}
