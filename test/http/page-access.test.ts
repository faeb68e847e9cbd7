import { describe, expect, test } from '@jest/globals';

import { cookieOf, isToken, judge, type PageAccess } from '../../src/http/page-routes.ts';

const LOCAL: PageAccess = { host: '127.0.0.1', token: undefined, userHeader: undefined };
const REACHABLE: PageAccess = { ...LOCAL, host: '0.0.0.0' };
const TOKEN = 'sixteen characters or more';

describe('on loopback', () => {
  test.each(['127.0.0.1:8432', 'localhost:8432', 'LOCALHOST', '[::1]:8432', '127.9.9.9'])(
    '%s may see the page',
    (host) => {
      expect(judge(LOCAL, { host })).toBe('open');
    },
  );

  test.each(['evil.example:8432', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', '', undefined])(
    'a site that calls itself %s may not: its name may mean this machine for now',
    (host) => {
      expect(judge(LOCAL, host === undefined ? {} : { host })).toBe('misdirected');
    },
  );

  test('a token, where one is set, is asked for here too, and lets in by any name', () => {
    const access = { ...LOCAL, token: TOKEN };
    expect(judge(access, { host: 'localhost' })).toBe('login');
    expect(judge(access, { host: 'scores.example', authorization: `Bearer ${TOKEN}` })).toBe('open');
  });

  test("a proxy's header counts only where the proxy calls this machine by its own name", () => {
    const access = { ...LOCAL, userHeader: 'x-forwarded-user' };
    expect(judge(access, { host: '127.0.0.1:8432', 'x-forwarded-user': 'ana' })).toBe('open');
    expect(judge(access, { host: 'evil.example', 'x-forwarded-user': 'ana' })).toBe('misdirected');
    expect(judge(access, { host: '127.0.0.1:8432' })).toBe('closed');
    expect(judge(access, { host: '127.0.0.1:8432', 'x-forwarded-user': '' })).toBe('closed');
  });
});

describe('on an address that others reach', () => {
  test('nobody sees the page, unless a token or a proxy was set', () => {
    expect(judge(REACHABLE, { host: '127.0.0.1' })).toBe('closed');
    expect(judge({ ...REACHABLE, userHeader: 'x-user' }, { host: 'scores.example', 'x-user': 'ana' })).toBe('open');
    expect(judge({ ...REACHABLE, userHeader: 'x-user' }, { host: 'scores.example' })).toBe('closed');
  });

  test('the cookie of the token opens it, and nothing like it', () => {
    const access = { ...REACHABLE, token: TOKEN };
    const cookie = cookieOf(TOKEN, false);
    const [pair = ''] = cookie.split(';');
    expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(TOKEN);
    expect(judge(access, { cookie: `theme=dark; ${pair}` })).toBe('open');
    for (const wrong of [
      '',
      'pgscore_page=',
      `${pair}x`,
      `x${pair}`,
      `pgscore_page=${TOKEN}`,
      cookieOf('another token, as long', false),
    ]) {
      expect(judge(access, { cookie: wrong })).toBe('login');
    }
    expect(cookieOf(TOKEN, true)).toMatch(/; Secure$/);
  });

  test('a word is the token or is not, whatever its length', () => {
    expect(isToken(TOKEN, TOKEN)).toBe(true);
    for (const word of ['', TOKEN.slice(0, -1), `${TOKEN} `, TOKEN.toUpperCase()])
      expect(isToken(TOKEN, word)).toBe(false);
  });
});
