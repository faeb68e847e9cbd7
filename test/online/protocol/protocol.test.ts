import { describe, expect, test } from '@jest/globals';

import { startTestGateway, scoreQuery } from '../test-server.ts';
import {
  cancelPacket,
  fieldsOf,
  GSS_REQUEST,
  int32,
  message,
  packet,
  queryPacket,
  rowsOf,
  saslInitial,
  SSL_REQUEST,
  startPacket,
  WireClient,
} from '../wire-client.ts';
import { waitFor } from '../../support/wait-for.ts';

const gateway = await startTestGateway();
const { port } = gateway;
const types = (replies: readonly { type: string }[]): string => replies.map(({ type }) => type).join('');

describe('the first packet', () => {
  test.each([
    ['of length 0', int32(0)],
    ['of length 3', int32(3)],
    ['of length -1', int32(-1)],
    ['of 4 bytes', packet()],
    ['of 10,001 bytes', int32(10_001)],
    ['of 2 GiB', int32(2 ** 31 - 1)],
    ['of TLS without a request for it', Buffer.from('1603010200010001fc0303', 'hex')],
    ['of HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['that asks for encryption with more in it', packet(int32(80877103), int32(0))],
    ['that cancels with too little', packet(int32(80877102), int32(1))],
    ['that cancels with too much', packet(int32(80877102), Buffer.alloc(300))],
    ['of protocol 2', startPacket({ user: 'pgscore' }, 2 << 16)],
    ['of protocol 4', startPacket({ user: 'pgscore' }, 4 << 16)],
    ['without a user', startPacket({ database: 'x' })],
    ['whose last string has no end', packet(int32(3 << 16), Buffer.from('user\0pgscore'))],
    ['that goes on after its end', packet(int32(3 << 16), Buffer.from('user\0pgscore\0\0more\0'))],
  ])('%s is refused and the connection closed', async (_, bytes) => {
    const client = await WireClient.open(port);
    client.send(bytes);
    expect(await client.fatal()).toMatchObject({ S: 'FATAL', C: expect.stringMatching(/^(08P01|54000|0A000|28000)$/) });
  });

  test('may come byte by byte', async () => {
    const client = await WireClient.open(port);
    for (const byte of startPacket({ user: 'pgscore' })) {
      client.send(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    await client.authenticate('secret');
    expect(types(await client.answer())).toBe('RSSSSSKZ');
    client.destroy();
  });

  test('may name options that mean nothing here', async () => {
    const client = await WireClient.open(port);
    client.send(
      startPacket({
        user: 'pgscore',
        replication: 'database',
        options: '-c geqo=off',
        ['__proto__']: 'x',
        search_path: 'a',
      }),
    );
    await client.authenticate('secret');
    expect(types(await client.answer())).toBe('RSSSSSKZ');
    client.destroy();
  });

  test.each([
    ['a newer minor version', (3 << 16) + 2, {}, []],
    ['the version that libpq tries servers with', (3 << 16) + 9999, {}, []],
    ['an option of a newer protocol', 3 << 16, { '_pq_.fancy': 'yes' }, ['_pq_.fancy']],
  ])('with %s is answered with what is spoken here, and goes on', async (_, version, options, unknown) => {
    const client = await WireClient.open(port);
    client.send(startPacket({ user: 'pgscore', ...options }, version));
    const { body } = await client.until('v');
    expect(body.readInt32BE(0)).toBe(3 << 16);
    expect(body.readInt32BE(4)).toBe(unknown.length);
    expect(body.toString('utf8', 8).split('\0').filter(Boolean)).toEqual(unknown);
    await client.authenticate('secret');
    await client.until('Z');
    client.destroy();
  });

  test('may ask for UTF8 only', async () => {
    const client = await WireClient.open(port);
    client.send(startPacket({ user: 'pgscore', client_encoding: 'LATIN1' }));
    await client.authenticate('secret');
    expect(await client.fatal()).toMatchObject({ C: '22023', M: expect.stringContaining('LATIN1') });
  });
});

describe('a request for encryption', () => {
  test('is declined, either kind once, and the client goes on in clear', async () => {
    const client = await WireClient.open(port);
    client.send(GSS_REQUEST);
    await waitFor(() => client.raw.toString() === 'N');
    client.send(SSL_REQUEST);
    await waitFor(() => client.raw.toString() === 'NN');
    client.destroy();
  });

  test.each([
    ['TLS', SSL_REQUEST],
    ['GSS', GSS_REQUEST],
  ])('for %s with more behind it in clear is fatal', async (_, request) => {
    const client = await WireClient.open(port);
    client.send(request, startPacket({ user: 'pgscore' }));
    expect(await client.fatal()).toMatchObject({ C: '08P01', M: expect.stringContaining('unencrypted data') });
  });

  test('is not answered a hundred thousand times', async () => {
    const client = await WireClient.open(port);
    client.send(SSL_REQUEST);
    await waitFor(() => client.raw.length === 1);
    client.send(GSS_REQUEST);
    await waitFor(() => client.raw.length === 2);
    client.send(...Array.from({ length: 50_000 }, () => [SSL_REQUEST, GSS_REQUEST]).flat());
    await client.ended();
    expect(client.raw.subarray(2).toString('latin1')).toContain('encryption was asked for twice');
  });
});

describe('before the login', () => {
  test('a message of more than 4 KiB is refused unread', async () => {
    const client = await WireClient.open(port);
    client.send(startPacket({ user: 'pgscore' }));
    await client.until('R');
    client.send(Buffer.concat([Buffer.from('p'), int32(5000)]));
    expect(await client.fatal()).toMatchObject({ C: '54000' });
  });

  test.each([
    ['a query', queryPacket('ping')],
    ['another mechanism', saslInitial('n,,n=,r=abc', 'SCRAM-SHA-256-PLUS')],
    ['a password in clear', message('p', Buffer.from('secret\0'))],
    ['an empty message', message('p', Buffer.alloc(0))],
    [
      'a length that lies',
      message('p', Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), int32(500), Buffer.from('n,,')])),
    ],
    ['no first message', message('p', Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), int32(-1)]))],
    ['channel binding', saslInitial('p=tls-server-end-point,,n=,r=abc')],
    ['another identity', saslInitial('n,a=root,n=,r=abc')],
  ])('%s is fatal', async (_, bytes) => {
    const client = await WireClient.open(port);
    client.send(startPacket({ user: 'pgscore' }));
    await client.until('R');
    client.send(bytes);
    expect(await client.fatal()).toMatchObject({ S: 'FATAL', C: '08P01' });
  });
});

describe('a session', () => {
  test('answers queries that were sent ahead in their order', async () => {
    const client = await WireClient.login(port);
    client.send(...[1, 2, 3].map((x) => queryPacket(scoreQuery([{ x }]))), queryPacket('ping'));
    const answers = [await client.answer(), await client.answer(), await client.answer(), await client.answer()];
    expect(answers.map(rowsOf)).toEqual([[['1', null, null]], [['2', null, null]], [['3', null, null]], [['ok']]]);
    client.destroy();
  });

  test.each(['select 1', 'ping; ping', 'SET x = 1', 'begin', 'copy t from stdin'])(
    'refuses "%s" and goes on',
    async (query) => {
      const client = await WireClient.login(port);
      const [error, ready] = await client.ask(query);
      expect(fieldsOf(error!)).toMatchObject({ S: 'ERROR', C: '0A000', H: expect.any(String) });
      expect(ready).toMatchObject({ type: 'Z' });
      expect(rowsOf(await client.ask('ping;'))).toEqual([['ok']]);
      client.destroy();
    },
  );

  test.each(["set client_encoding to 'UTF8'", 'SET client_encoding = unicode', "set client_encoding='utf-8';"])(
    'takes "%s"',
    async (query) => {
      const client = await WireClient.login(port);
      expect(types(await client.ask(query))).toBe('SCZ');
      client.destroy();
    },
  );

  test('refuses another encoding by its name', async () => {
    const client = await WireClient.login(port);
    const [error] = await client.ask("set client_encoding to 'LATIN1'");
    expect(fieldsOf(error!)).toMatchObject({ C: '22023', M: expect.stringContaining('LATIN1') });
    client.destroy();
  });

  test('answers nothing with nothing', async () => {
    const client = await WireClient.login(port);
    expect(types(await client.ask(' ; '))).toBe('IZ');
    client.destroy();
  });

  test('refuses the extended protocol once and is there again after Sync', async () => {
    const client = await WireClient.login(port);
    client.send(
      message('P', Buffer.from('\0select 1\0\0\0')),
      message('B', Buffer.alloc(8)),
      message('E', Buffer.alloc(5)),
      message('S', Buffer.alloc(0)),
    );
    expect(types(await client.answer())).toBe('EZ');
    client.send(message('H', Buffer.alloc(0)), message('S', Buffer.alloc(0)));
    expect(types(await client.answer())).toBe('Z');
    client.send(message('F', Buffer.alloc(10)));
    expect(types(await client.answer())).toBe('EZ');
    expect(rowsOf(await client.ask('ping'))).toEqual([['ok']]);
    client.destroy();
  });

  test.each([
    ['of length 0', Buffer.concat([Buffer.from('Q'), int32(0)]), '08P01'],
    ['of length 3', Buffer.concat([Buffer.from('Q'), int32(3)]), '08P01'],
    ['of length -1', Buffer.concat([Buffer.from('Q'), int32(-1)]), '08P01'],
    ['past the limit', Buffer.concat([Buffer.from('Q'), int32(2 ** 20 + 1)]), '54000'],
    ['of 2 GiB', Buffer.concat([Buffer.from('Q'), int32(2 ** 31 - 1)]), '54000'],
    ['of an unknown type', message('~', Buffer.alloc(0)), '08P01'],
    ['without its zero byte', message('Q', Buffer.from('ping')), '08P01'],
    ['with a zero byte inside', message('Q', Buffer.from('pi\0ng\0')), '08P01'],
    ['with a password, after the login', message('p', Buffer.alloc(0)), '08P01'],
  ])('ends at a message %s', async (_, bytes, sqlstate) => {
    const client = await WireClient.login(port);
    client.send(bytes);
    expect(await client.fatal()).toMatchObject({ S: 'FATAL', C: sqlstate });
  });

  test('tells invalid UTF-8 from a broken protocol', async () => {
    const client = await WireClient.login(port);
    client.send(message('Q', Buffer.from([0x70, 0xff, 0xfe, 0])));
    expect(fieldsOf((await client.answer())[0]!)).toMatchObject({ C: '22021' });
    client.destroy();
  });

  test('ends at Terminate without a word', async () => {
    const client = await WireClient.login(port);
    client.send(message('X', Buffer.alloc(0)));
    await client.ended();
    expect(client.replies).toEqual([]);
  });

  test('reports no style of dates, which dblink would take over', async () => {
    const client = await WireClient.open(port);
    client.send(startPacket({ user: 'pgscore' }));
    await client.authenticate('secret');
    const reported = (await client.answer())
      .filter(({ type }) => type === 'S')
      .map(({ body }) => body.toString().split('\0')[0]);
    expect(reported).toEqual([
      'server_version',
      'server_encoding',
      'client_encoding',
      'standard_conforming_strings',
      'integer_datetimes',
    ]);
    client.destroy();
  });
});

describe('a request to cancel', () => {
  test('with a wrong key does nothing, and is not answered', async () => {
    const client = await WireClient.open(port);
    client.send(cancelPacket(Buffer.alloc(8, 1)));
    await client.ended();
    expect(client.raw.length).toBe(0);
  });
});

test('none of this was a defect', () => {
  expect(gateway.defects).toEqual([]);
});
