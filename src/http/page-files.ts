import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { packageFile } from '../lib/package-file.ts';

export type PageFile = { readonly type: string; readonly body: Buffer; readonly etag: string };

/** HTML, style and icon, as they are. */
const STATIC = packageFile('page');
/** The compiled scripts of src/page. */
const SCRIPTS = packageFile('dist/page');

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Every file of the page by its path. No path is ever made from what a request says. */
export async function readPageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const scripts = (await readdir(SCRIPTS)).filter((name) => name.endsWith('.js'));
  const places: [path: string, file: string][] = [
    ['/', join(STATIC, 'index.html')],
    ['/page/login', join(STATIC, 'login.html')],
    ['/page/style.css', join(STATIC, 'style.css')],
    ['/page/icon.svg', join(STATIC, 'icon.svg')],
    ['/page/chart.umd.js', chartLibrary()],
    ...scripts.map((name): [string, string] => [`/page/${name}`, join(SCRIPTS, name)]),
  ];
  return new Map(await Promise.all(places.map(async ([path, file]) => [path, await read(file)] as const)));
}

function chartLibrary(): string {
  return join(dirname(createRequire(import.meta.url).resolve('chart.js')), 'chart.umd.min.js');
}

async function read(file: string): Promise<PageFile> {
  const body = await readFile(file);
  const type = TYPES[file.slice(file.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
  return { type, body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
}

/** Nothing but our own files runs, is shown or is asked, and nobody frames the page. */
const CONTENT_SECURITY_POLICY = [
  `default-src 'none'`,
  `script-src 'self'`,
  `style-src 'self'`,
  `connect-src 'self'`,
  `img-src 'self' data:`,
  `frame-ancestors 'none'`,
  `base-uri 'none'`,
  `form-action 'self'`,
].join('; ');

/** The headers of everything that belongs to the page. */
export const PAGE_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;
