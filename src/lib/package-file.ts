import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder of package.json: this module is in src, or, bundled with others, somewhere in dist. */
const ROOT = ((): URL => {
  let folder = new URL('.', import.meta.url);
  while (!existsSync(new URL('package.json', folder))) {
    const above = new URL('..', folder);
    if (above.href === folder.href) throw notInstalled();
    folder = above;
  }
  return folder;
})();

function notInstalled(): Error {
  const here = fileURLToPath(import.meta.url);
  return new Error(`${here} is outside of its package, as no package.json is above it: install pgscore as a whole`);
}

/** Where a file or folder is that comes with the package, by its path beside package.json. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(path, ROOT));
}

/** Where a program is that runs in a process or thread of its own, by its path in src without an extension. */
export function programFile(path: string): string {
  return packageFile(`dist/${path}.js`);
}
