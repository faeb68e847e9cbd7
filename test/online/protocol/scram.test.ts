import { describe, expect, test } from '@jest/globals';

import { ITERATIONS_OF_KEY, ScramLogin } from '../../../src/online/protocol/scram.ts';
import { clientFinal } from '../wire-client.ts';

const login = new ScramLogin('pgscore', 'pencil');
const FIRST = 'n=,r=fyko+d2lbbFgONRv9qkxdawL';

function logIn(user: string, password: string, header = 'n,,', to = login): string {
  const exchange = to.exchange(user);
  const answer = exchange.first(Buffer.from(header + FIRST));
  const final = clientFinal(FIRST, answer, password, header);
  return exchange.final(Buffer.from(final));
}

function refusal(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

describe('a login by SCRAM-SHA-256', () => {
  test('succeeds with the password, and proves that the server knows it too', () => {
    expect(logIn('pgscore', 'pencil')).toMatch(/^v=[A-Za-z0-9+/]{43}=$/);
  });

  test('fails alike for a wrong password and for an unknown user', () => {
    const refused = { severity: 'FATAL', sqlstate: '28P01' };
    expect(refusal(() => logIn('pgscore', 'pen'))).toMatchObject(refused);
    expect(refusal(() => logIn('', 'pencil'))).toMatchObject(refused);
    expect(refusal(() => logIn('mallory', 'pencil'))).toMatchObject({
      ...refused,
      message: 'password authentication failed for user "mallory"',
    });
  });

  test('shows every user the same kind of salt, the same at each try, and 4096 iterations', () => {
    const shown = (user: string): string | undefined =>
      /,(s=.*,i=\d+)$/.exec(login.exchange(user).first(Buffer.from(`n,,${FIRST}`)))?.[1];
    expect(shown('mallory')).toBe(shown('mallory'));
    expect(shown('mallory')).not.toBe(shown('pgscore'));
    for (const user of ['pgscore', 'mallory']) expect(shown(user)).toMatch(/^s=[A-Za-z0-9+/]{22}==,i=4096$/);
  });

  test('hashes a key that nobody guesses less often', () => {
    const quick = new ScramLogin('pgscore', 'pencil', ITERATIONS_OF_KEY);
    expect(quick.exchange('mallory').first(Buffer.from(`n,,${FIRST}`))).toMatch(/,i=1000$/);
    expect(logIn('pgscore', 'pencil', 'n,,', quick)).toMatch(/^v=/);
    expect(refusal(() => logIn('pgscore', 'pen', 'n,,', quick))).toMatchObject({ sqlstate: '28P01' });
  });

  test('never shows the same nonce', () => {
    const nonces = Array.from({ length: 50 }, () => login.exchange('pgscore').first(Buffer.from(`n,,${FIRST}`)));
    expect(new Set(nonces).size).toBe(50);
  });

  test.each(['', 'n', 'n,,', 'x,,n=,r=abc', 'n,,r=abc', 'n,,n=,r=', 'n,,n=,r=a c', 'n,,m=x,n=,r=abc', 'n,,n=,r=a\0b'])(
    'refuses the first message "%s"',
    (first) => {
      expect(refusal(() => login.exchange('pgscore').first(Buffer.from(first)))).toMatchObject({ sqlstate: '08P01' });
    },
  );

  test('refuses either message cut off at any length, and with any byte changed', () => {
    const exchange = login.exchange('pgscore');
    const final = Buffer.from(clientFinal(FIRST, exchange.first(Buffer.from(`n,,${FIRST}`)), 'pencil'));
    for (let at = 0; at < final.length; at += 1) {
      const changed = Buffer.from(final);
      changed[at]! ^= 1;
      for (const wrong of [final.subarray(0, at), changed]) {
        expect(refusal(() => exchange.final(wrong))).toMatchObject({
          sqlstate: expect.stringMatching(/^(08P01|28P01)$/),
        });
      }
    }
    const first = Buffer.from(`n,,${FIRST}`);
    for (let at = 0; at < 'n,,n=,r='.length; at += 1) {
      expect(refusal(() => login.exchange('pgscore').first(first.subarray(0, at)))).toMatchObject({
        sqlstate: '08P01',
      });
    }
    expect(exchange.final(final)).toMatch(/^v=/);
  });

  test('refuses a proof for another exchange', () => {
    const [one, other] = [login.exchange('pgscore'), login.exchange('pgscore')];
    const final = clientFinal(FIRST, one.first(Buffer.from(`n,,${FIRST}`)), 'pencil');
    other.first(Buffer.from(`n,,${FIRST}`));
    expect(refusal(() => other.final(Buffer.from(final)))).toMatchObject({ sqlstate: '08P01' });
  });

  test('takes a client that could bind to the channel, and one that says that it did not', () => {
    expect(logIn('pgscore', 'pencil', 'y,,')).toMatch(/^v=/);
    const exchange = login.exchange('pgscore');
    const answer = exchange.first(Buffer.from(`y,,${FIRST}`));
    expect(refusal(() => exchange.final(Buffer.from(clientFinal(FIRST, answer, 'pencil'))))).toMatchObject({
      sqlstate: '08P01',
    });
  });

  test('refuses what is not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('n,,n='), Buffer.of(0xff), Buffer.from(',r=abc')]);
    expect(refusal(() => login.exchange('pgscore').first(bytes))).toMatchObject({ sqlstate: '08P01' });
  });
});
