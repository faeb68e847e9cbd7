import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll } from '@jest/globals';

import { hasProgram } from './psql.ts';

export type Certificate = { readonly cert: string; readonly key: string };

/** Files of a new certificate, by default for this machine, which go with the test file; undefined where openssl is missing. */
export function makeCertificate(names = 'DNS:localhost,IP:127.0.0.1'): Certificate | undefined {
  if (!hasProgram('openssl', 'version')) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'pgscore-tls-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const subject = ['-subj', '/CN=localhost', '-addext', `subjectAltName=${names}`];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const places = ['-keyout', files.key, '-out', files.cert];
  execFileSync('openssl', ['req', ...kind, ...subject, ...places], { stdio: 'ignore' });
  return files;
}
