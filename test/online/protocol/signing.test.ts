import { createHmac } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { authenticationCode, Signing } from '../../../src/online/protocol/signing.ts';
import { WireError } from '../../../src/online/protocol/wire-error.ts';
import { KEYS, PASSWORD, scoreQuery, startTestGateway } from '../test-server.ts';
import { fieldsOf, startPacket, WireClient } from '../wire-client.ts';

const BACKEND = '4711.1764133000123456';
const NONCE = '0b8f2f5e-93a5-4c2b-9d3f-0d1f6f3f2a11';
const ASKED = scoreQuery([{ x: 2 }], { reply: 'score' });

function signed(request: string, challenge: string, { keys = KEYS, backend = BACKEND } = {}): string {
  return `signed ${authenticationCode(keys, `request ${backend} ${challenge}\n${request}`).toString('base64')} ${request}`;
}

test('the code is an HMAC whose two padded keys are keys of their own', () => {
  const key = Buffer.alloc(64, 'any key');
  const padded = (byte: number): Buffer => key.map((value) => value ^ byte) as Buffer;
  expect(authenticationCode({ inner: padded(0x36), outer: padded(0x5c) }, 'a request')).toEqual(
    createHmac('sha256', key).update('a request').digest(),
  );
});

describe('the queries of a connection that others may use', () => {
  let signing: Signing;
  beforeEach(() => {
    signing = new Signing(KEYS, BACKEND);
  });

  function challenged(nonce = NONCE): { challenge: string; proof: string } {
    const command = signing.read(`hello ${nonce}`);
    if (command.name !== 'hello') throw new Error(`a ${command.name}`);
    const [challenge = '', proof = ''] = command.welcome.split(' ');
    return { challenge, proof };
  }

  function refusal(query: string): unknown {
    try {
      return signing.read(query);
    } catch (error) {
      return error;
    }
  }

  const REFUSED = { sqlstate: '42501', severity: 'ERROR', hint: expect.stringContaining('score()') };

  test('are greeted with a proof for the nonce, which the tag of a command has room for', () => {
    const { challenge, proof } = challenged();
    expect(`${challenge} ${proof}`.length).toBeLessThan(64);
    const expected = authenticationCode(KEYS, `welcome ${BACKEND} ${NONCE} ${challenge}`);
    expect(Buffer.from(proof, 'base64')).toEqual(expected.subarray(0, 16));
    expect(challenged().challenge).not.toBe(challenge);
  });

  test('are read where they are signed for the challenge', () => {
    expect(signing.read(signed('score {}\n[]', challenged().challenge))).toEqual({ name: 'score', request: '{}\n[]' });
    expect(signing.read(signed('ping', challenged().challenge))).toEqual({ name: 'ping' });
  });

  test('are refused a second time, and for a challenge that another took the place of', () => {
    const query = signed(ASKED, challenged().challenge);
    signing.read(query);
    expect(refusal(query)).toMatchObject(REFUSED);
    const stale = signed(ASKED, challenged().challenge);
    challenged();
    expect(refusal(stale)).toMatchObject(REFUSED);
    expect(refusal(signed(ASKED, ''))).toMatchObject(REFUSED);
  });

  test('are refused after a try that failed: none may guess twice', () => {
    const { challenge } = challenged();
    expect(refusal(signed(ASKED, 'guessed'))).toMatchObject(REFUSED);
    expect(refusal(signed(ASKED, challenge))).toMatchObject(REFUSED);
  });

  test.each([
    ['not signed', () => ASKED],
    ['of another command', () => 'ping'],
    ['nothing', () => ''],
    ['SQL', () => 'select 1'],
    ['a greeting that goes on', () => `hello ${NONCE} and more`],
    ['signed with nothing', () => 'signed '],
    [
      'signed with a code that is short',
      (challenge: string) => signed(ASKED, challenge).replace(/^signed .{4}/, 'signed '),
    ],
    [
      'signed with other keys',
      (challenge: string) => signed(ASKED, challenge, { keys: { ...KEYS, inner: KEYS.outer } }),
    ],
    [
      'signed for another session',
      (challenge: string) => signed(ASKED, challenge, { backend: '4712.1764133000123456' }),
    ],
    ['changed', (challenge: string) => signed(ASKED, challenge).replace('alice', 'bob')],
    ['changed at its end', (challenge: string) => `${signed(ASKED, challenge)} `],
  ])('are refused: %s', (_, query) => {
    expect(refusal(query(challenged().challenge))).toMatchObject(REFUSED);
  });

  test('may set the encoding, which libpq does by itself', () => {
    expect(signing.read(`set client_encoding to 'UTF8'`)).toEqual({ name: 'encoding', encoding: 'UTF8' });
  });
});

describe('a gateway', () => {
  let client: WireClient | undefined;
  afterAll(() => client?.destroy());

  async function challengeOf(connection: WireClient): Promise<string> {
    const [tag] = await connection.ask(`hello ${NONCE}`);
    return String(tag?.body).split(' ')[0] ?? '';
  }

  test('answers what is signed to a login with a backend, and sends away who does not sign', async () => {
    const { port, calls } = await startTestGateway();
    client = await WireClient.login(port, PASSWORD, `pgscore/${BACKEND}`);
    for (let call = 0; call < 3; call += 1) {
      const [tag] = await client.ask(signed(ASKED, await challengeOf(client)));
      expect(String(tag?.body)).toBe('2\0');
    }
    const [error] = await client.ask(ASKED);
    expect(error && fieldsOf(error)).toMatchObject({ S: 'ERROR', C: '42501' });
    await client.ended();
    expect(calls).toHaveLength(3);
  });

  test('greets nobody in an ordinary session', async () => {
    const { port } = await startTestGateway();
    client = await WireClient.login(port, PASSWORD);
    for (const query of [`hello ${NONCE}`, signed(ASKED, '')]) {
      const [error] = await client.ask(query);
      expect(error && fieldsOf(error)).toMatchObject({ C: '0A000' });
    }
  });

  test('asks for the password whatever the backend, and says why where it has no keys', async () => {
    const signing = () => Promise.reject(WireError.fatal('58000', 'the keys of signed requests could not be read'));
    const { port } = await startTestGateway({ signing });
    await expect(WireClient.login(port, 'wrong', `pgscore/${BACKEND}`)).rejects.toThrow('closed');
    await expect(WireClient.login(port, PASSWORD, `other/${BACKEND}`)).rejects.toThrow('closed');
    client = await WireClient.open(port);
    client.send(startPacket({ user: `pgscore/${BACKEND}` }));
    await client.authenticate(PASSWORD);
    expect(await client.fatal()).toMatchObject({ C: '58000' });
  });
});
