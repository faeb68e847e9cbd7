import { randomBytes } from 'node:crypto';
import type { ServiceConfig } from '../config.ts';
import type { GatewaySettings } from './messages.ts';
import { ITERATIONS_OF_KEY, ITERATIONS_OF_PASSWORD } from './protocol/scram.ts';

const AUTHENTICATION_MS = 10_000;

/** What the gateways of a service are started with: one login for all of them, by a random key where no password was given. */
export function gatewaySettings({
  gateway,
  connecting,
  databaseUrl,
  modelMemoryBytes,
}: ServiceConfig): GatewaySettings {
  const { silenceMs: _, ...limits } = gateway;
  return {
    ...limits,
    connecting,
    databaseUrl,
    modelMemoryBytes,
    user: 'pgscore',
    password: gateway.password ?? randomBytes(24).toString('base64url'),
    iterations: gateway.password === undefined ? ITERATIONS_OF_KEY : ITERATIONS_OF_PASSWORD,
    authenticationMs: AUTHENTICATION_MS,
    deadly: [],
  };
}
