import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { PageData, problem, type Answer, parametersOf } from './page-data.ts';
import { PAGE_QUERIES } from './page-queries.ts';
import { packageFile } from '../lib/package-file.ts';
import { isLoopback } from '../lib/loopback.ts';

export type PageOptions = PageAccess & { readonly connection: DatabaseConnection };

const REFUSALS: Readonly<Record<Exclude<Verdict, 'open'>, string>> = {
  login: 'This page asks for its token.',
  misdirected: 'This page answers to localhost only. To reach it by another name, set PGSCORE_PAGE_TOKEN.',
  closed:
    'This page is closed: whoever reaches this address could read it. Set PGSCORE_PAGE_TOKEN, or let a proxy log people in and name its header with PGSCORE_PAGE_USER_HEADER.',
};
const STATUSES: Readonly<Record<Exclude<Verdict, 'open'>, number>> = { login: 401, misdirected: 421, closed: 403 };

/** What a browser may have before it has shown the token: nothing of it says a thing about a model. */
const FOR_EVERYBODY = ['/page/login', '/page/style.css', '/page/icon.svg'];

/** The page at /, its files and its questions. All of it only reads. */
export async function servePage(app: FastifyInstance, { connection, ...access }: PageOptions): Promise<void> {
  const files = await readPageFiles();
  const data = new PageData(connection);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(PAGE_HEADERS);
    const verdict = judge(access, request.headers);
    if (await logIn(access, request, reply)) return;
    if (verdict === 'open' || (verdict === 'login' && FOR_EVERYBODY.includes(pathOf(request)))) return;
    await refuse(verdict, files.get('/page/login'), request, reply);
  });
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, new URLSearchParams(String(body))),
  );
  for (const [path, file] of files) app.get(path, (request, reply) => sendFile(file, request, reply));
  app.get<{ Params: { name: string } }>('/page/api/:name', async ({ params: { name }, query }, reply) => {
    const asked = Object.hasOwn(PAGE_QUERIES, name) ? PAGE_QUERIES[name] : undefined;
    if (asked === undefined) return sendAnswer(problem(404, 'unknown', 'There is no such question.'), reply);
    const values = parametersOf(asked, query);
    if (values === undefined) return sendAnswer(problem(400, 'bad_request', 'A value is missing or wrong.'), reply);
    return sendAnswer(await data.ask(name, asked, values), reply);
  });
  app.post('/page/login', async (request, reply) => {
    const { body } = request;
    const word = body instanceof URLSearchParams ? (body.get('token') ?? '') : '';
    if (access.token === undefined || !isToken(access.token, word))
      return reply.header('cache-control', 'no-store').redirect('/page/login#token', 303);
    return redirectWithCookie(access.token, request, reply);
  });
}

/** A link with the token logs in at once and loses it from the address. */
async function logIn({ token }: PageAccess, request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
  const word = new URLSearchParams(/\?(.*)$/s.exec(request.url)?.[1]).get('token');
  if (token === undefined || word === null || pathOf(request) !== '/' || !isToken(token, word)) return false;
  await redirectWithCookie(token, request, reply);
  return true;
}

function redirectWithCookie(token: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const encrypted = request.headers['x-forwarded-proto'] === 'https';
  return reply.header('set-cookie', cookieOf(token, encrypted)).header('cache-control', 'no-store').redirect('/', 303);
}

async function refuse(
  verdict: Exclude<Verdict, 'open'>,
  login: PageFile | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const text = REFUSALS[verdict];
  reply.code(STATUSES[verdict]).header('cache-control', 'no-store');
  if (pathOf(request).startsWith('/page/api/')) {
    await reply.type('application/json').send(JSON.stringify({ error: verdict, message: text }));
  } else if (verdict === 'login' && login !== undefined) {
    await reply.type(login.type).send(login.body);
  } else {
    await reply.type('text/plain; charset=utf-8').send(`${text}\n`);
  }
}

function sendFile(file: PageFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers({ etag: file.etag, 'cache-control': 'no-cache' });
  if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
  return reply.type(file.type).send(file.body);
}

function sendAnswer({ status, body }: Answer, reply: FastifyReply): FastifyReply {
  return reply.code(status).type('application/json; charset=utf-8').header('cache-control', 'no-store').send(body);
}

function pathOf({ url }: FastifyRequest): string {
  return url.replace(/[?#].*$/s, '');
}

type PageFile = { readonly type: string; readonly body: Buffer; readonly etag: string };

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
async function readPageFiles(): Promise<ReadonlyMap<string, PageFile>> {
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
const PAGE_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

export type PageAccess = {
  /** The address that the service listens on. */
  readonly host: string;
  readonly token: string | undefined;
  /** Header in which a proxy names whom it let in. */
  readonly userHeader: string | undefined;
};

/** What becomes of a request: answered, asked for the token, refused as sent to another's name, or refused for good. */
type Verdict = 'open' | 'login' | 'misdirected' | 'closed';

const COOKIE = 'pgscore_page';

/**
 * Whether a request may see the page. What listens on loopback is open to this machine, if asked by a name of this machine:
 * a site on the Internet can make its own name mean 127.0.0.1, and a browser would let it read the answers.
 */
export function judge(access: PageAccess, headers: IncomingHttpHeaders): Verdict {
  const { token, userHeader } = access;
  const local = isLoopback(access.host);
  const addressedHere = isAddressedHere(access.host, headers);
  if (userHeader !== undefined && addressedHere && Boolean(headers[userHeader])) return 'open';
  if (token !== undefined) return provesToken(token, headers) ? 'open' : 'login';
  if (!addressedHere) return 'misdirected';
  return local && userHeader === undefined ? 'open' : 'closed';
}

/** Whether a request to what listens on `host` names it as this machine does; beyond loopback any name will do. */
export function isAddressedHere(host: string, headers: IncomingHttpHeaders): boolean {
  return !isLoopback(host) || isLoopback(hostOf(headers.host));
}

/** Whether a word is the token; takes as long whatever the word is. */
export function isToken(token: string, word: string): boolean {
  return timingSafeEqual(digest(token), digest(word));
}

/** The cookie of a browser that gave the token: not the token, and of no use once that was changed. */
export function cookieOf(token: string, encrypted: boolean): string {
  return `${COOKIE}=${proofOf(token)}; Path=/; HttpOnly; SameSite=Strict${encrypted ? '; Secure' : ''}`;
}

function provesToken(token: string, headers: IncomingHttpHeaders): boolean {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return isToken(token, bearer);
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  const given = pairs.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
  return given !== undefined && isToken(proofOf(token), given);
}

function proofOf(token: string): string {
  return createHmac('sha256', token).update('a browser that may see the page').digest('base64url');
}

function digest(word: string): Buffer {
  return createHash('sha256').update(word).digest();
}

/** The name in a Host header: without port, and without the brackets of an IPv6 address. */
function hostOf(header: string | undefined): string {
  const host = (header ?? '').replace(/:\d+$/, '').toLowerCase();
  return host.replace(/^\[(.*)\]$/, '$1');
}
