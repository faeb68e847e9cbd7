import { readFileSync } from 'node:fs';
import { connect, createSecureContext } from 'node:tls';

import { describe, expect, test } from '@jest/globals';

import { waitFor } from '../../support/wait-for.ts';
import { makeCertificate } from '../certificate.ts';
import { hasProgram, psql } from '../psql.ts';
import { startTestGateway } from '../test-server.ts';
import { SSL_REQUEST, startPacket, WireClient } from '../wire-client.ts';

const certificate = makeCertificate();

(certificate ? describe : describe.skip)('under TLS', () => {
  const gateway = startTestGateway(
    certificate
      ? { tls: createSecureContext({ cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) }) }
      : {},
  );

  (hasProgram('psql', '--version') ? test : test.skip)('psql verifies the server and pings', async () => {
    const { port } = await gateway;
    const where = `host=localhost port=${port} user=pgscore dbname=any sslmode=verify-full sslrootcert=${certificate?.cert}`;
    expect(await psql(where, ['ping'])).toEqual({ exit: 0, stdout: 'ok\n', stderr: '' });
    const elsewhere = await psql(where.replace('localhost', '127.0.0.2'), ['ping']);
    expect(elsewhere.stderr).toMatch(/certificate|refused/);
    expect((await psql(where, ['ping'], 'wrong')).stderr).toContain('password authentication failed');
  });

  test('what came in clear behind the request is not taken for what came under it', async () => {
    const client = await WireClient.open((await gateway).port);
    client.send(SSL_REQUEST, startPacket({ user: 'pgscore' }));
    expect(await client.fatal()).toMatchObject({ S: 'FATAL', C: '08P01' });
    expect(client.raw[0]).toBe('E'.charCodeAt(0));
  });

  test('a second request for it is refused', async () => {
    const client = await WireClient.open((await gateway).port);
    client.send(SSL_REQUEST);
    await waitFor(() => client.raw.toString() === 'S');
    client.socket.removeAllListeners('data');
    const secured = connect({ socket: client.socket, rejectUnauthorized: false });
    secured.on('error', () => undefined);
    let heard = '';
    secured.on('data', (data: Buffer) => {
      heard += data.toString('latin1');
    });
    secured.write(SSL_REQUEST);
    await waitFor(() => heard.includes('encryption was asked for twice'));
    secured.destroy();
  });

  test('a handshake that is garbage, or is left in the middle, costs nobody else anything', async () => {
    const { port, server, defects } = await gateway;
    for (const bytes of [Buffer.from('garbage'.repeat(20)), Buffer.from('16030100', 'hex'), Buffer.alloc(0)]) {
      const client = await WireClient.open(port);
      client.send(SSL_REQUEST);
      await waitFor(() => client.raw.length > 0);
      client.send(bytes);
      client.socket.end();
      await client.ended();
    }
    await waitFor(() => server.connections === 0, { message: 'the end of all connections' });
    expect(defects).toEqual([]);
  });
});
