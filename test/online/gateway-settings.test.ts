import { expect, test } from '@jest/globals';
import { serviceConfig } from '../../src/config.ts';
import { gatewaySettings } from '../../src/online/gateway-keeper.ts';

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
