import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../lib/loopback.ts';

export type PageAccess = {
  /** The address that the service listens on. */
  readonly host: string;
  readonly token: string | undefined;
  /** Header in which a proxy names whom it let in. */
  readonly userHeader: string | undefined;
};

/** What becomes of a request: answered, asked for the token, refused as sent to another's name, or refused for good. */
export type Verdict = 'open' | 'login' | 'misdirected' | 'closed';

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

/** Whether a word that somebody gave is the token; takes as long whatever she gave. */
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
