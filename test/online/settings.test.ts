import { describe, expect, test } from '@jest/globals';

import { serviceConfig } from '../../src/config.ts';
import { isLoopback } from '../../src/lib/loopback.ts';
import { gatewaySettings } from '../../src/online/gateway-keeper.ts';
import { silenceLimitMs } from '../../src/online/gateway-process.ts';

describe('settings of the gateway', () => {
  test('are this machine only, without TLS, unless said otherwise', () => {
    expect(serviceConfig({}, 1).gateway).toMatchObject({
      host: '127.0.0.1',
      port: 8433,
      tls: undefined,
      password: undefined,
      deadlineMs: 5000,
      mostDeadlineMs: 60_000,
    });
  });

  test.each(['0.0.0.0', '::', '192.0.2.1', 'db.example.com', '127.0.0.1.example.com'])(
    'refuse %s without TLS, and take it with',
    (gatewayHost) => {
      expect(() => serviceConfig({ gatewayHost }, 1)).toThrow(
        `--gateway-host is ${gatewayHost}, which others can reach`,
      );
      const files = { gatewayTlsCert: 'cert.pem', gatewayTlsKey: 'key.pem' };
      expect(serviceConfig({ gatewayHost, ...files }, 1).gateway.tls).toEqual({ cert: 'cert.pem', key: 'key.pem' });
    },
  );

  test.each([{ gatewayTlsCert: 'cert.pem' }, { gatewayTlsKey: 'key.pem' }])(
    'refuse half a certificate: %j',
    (flags) => {
      expect(() => serviceConfig(flags, 1)).toThrow('--gateway-tls-cert and --gateway-tls-key go together');
    },
  );

  test('let no deadline be past the limit of deadlines', () => {
    expect(serviceConfig({ onlineDeadlineSeconds: '90' }, 1).gateway).toMatchObject({
      deadlineMs: 90_000,
      mostDeadlineMs: 90_000,
    });
  });
});

test.each([
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['::ffff:192.0.2.1', false],
  ['128.0.0.1', false],
])('that %s can be reached from this machine only is %s', (host, only) => {
  expect(isLoopback(host)).toBe(only);
});

test('a gateway is logged in to by a key that is another for each service, and hashed less often', () => {
  const [one, other] = [gatewaySettings(serviceConfig({}, 1)), gatewaySettings(serviceConfig({}, 1))];
  expect(one.password).toMatch(/^[\w-]{32}$/);
  expect(one.password).not.toBe(other.password);
  expect(one.iterations).toBe(1000);
});

test('by a password that it was given, hashed as often as PostgreSQL does', () => {
  const given = serviceConfig({ gatewayPassword: 'a phrase that somebody may guess' }, 1);
  expect(gatewaySettings(given)).toMatchObject({ password: 'a phrase that somebody may guess', iterations: 4096 });
});

test('a gateway that starts may be silent for longer than one that answers calls', () => {
  expect(silenceLimitMs(1000, true)).toBe(1000);
  expect(silenceLimitMs(1000, false)).toBe(30_000);
});

test('a gateway that starts may be silent for no shorter than one that answers calls', () => {
  expect(silenceLimitMs(600_000, false)).toBe(600_000);
});
