import { hostname } from 'node:os';
import type { ClientBase } from 'pg';
import type { ServiceConfig } from '../config.ts';
import { statement } from '../postgres/statement.ts';
import { type PipelinedStatement, runPipeline } from '../postgres/pipeline.ts';
import { VERSION } from '../version.ts';
import type { GatewayLogin } from '../online/gateway-address.ts';

export type ServiceState = 'running' | 'draining' | 'paused' | 'stopped';

const register = statement<
  [
    serviceId: string,
    host: string,
    pid: number,
    version: string,
    scorers: number,
    state: ServiceState,
    hasWebhook: boolean,
  ]
>(
  'report_service',
  `insert into pgscore_data.service (service_id, host, pid, version, scorers, state, has_webhook) values ($1, $2, $3, $4, $5, $6, $7)
   on conflict (service_id) do update set heartbeat_at = clock_timestamp(), state = excluded.state`,
);

const registerGateway = statement<
  [
    serviceId: string,
    host: string,
    port: number,
    tls: boolean,
    login: string,
    password: string,
    folder: string | null,
    owner: string | null,
  ]
>(
  'register_gateway',
  `insert into pgscore_data.gateway (service_id, host, port, tls, login, password, socket_folder, socket_owner) values ($1, $2, $3, $4, $5, $6, $7, $8)
   on conflict (service_id) do update
      set host = excluded.host, port = excluded.port, tls = excluded.tls, login = excluded.login, password = excluded.password,
          socket_folder = excluded.socket_folder, socket_owner = excluded.socket_owner, since = clock_timestamp()
    where (gateway.host, gateway.port, gateway.password, gateway.socket_folder)
          is distinct from (excluded.host, excluded.port, excluded.password, excluded.socket_folder)`,
);

const forgetGateway = statement<[serviceId: string]>(
  'forget_gateway',
  'delete from pgscore_data.gateway where service_id = $1',
);

/**
 * Puts a service on the list that pgscore.services shows, or shows that it lives; tells where it answers score(), or that it
 * does not.
 */
export async function reportService(
  client: Pick<ClientBase, 'query'>,
  serviceId: string,
  state: ServiceState,
  config: Pick<ServiceConfig, 'scorers' | 'alertWebhook' | 'gateway'>,
  gateway: GatewayLogin | undefined,
): Promise<void> {
  const { scorers, alertWebhook } = config;
  const living = register.pipelined(
    serviceId,
    hostname(),
    process.pid,
    VERSION,
    scorers,
    state,
    alertWebhook !== undefined,
  );
  const answering =
    gateway === undefined
      ? forgetGateway.pipelined(serviceId)
      : gatewayStatement(serviceId, gateway, config.gateway.tls !== undefined);
  await runPipeline(client, [living, answering]);
}

function gatewayStatement(
  serviceId: string,
  { host, port, user, password, local }: GatewayLogin,
  tls: boolean,
): PipelinedStatement {
  const reachable = isAnyAddress(host) ? hostname() : host;
  return registerGateway.pipelined(
    serviceId,
    reachable,
    port,
    tls,
    user,
    password,
    local?.folder ?? null,
    local?.owner ?? null,
  );
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
