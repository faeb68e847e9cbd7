import { readFileSync } from 'node:fs';
import { packageFile } from './lib/package-file.ts';

const manifest: unknown = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'));

/** The version of this package, as package.json has it. */
export const VERSION =
  typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown';
