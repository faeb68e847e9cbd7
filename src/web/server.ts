import Fastify from 'fastify';
import type { Registry } from 'prom-client';

export type WebOptions = {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  readonly ready: () => { ready: boolean; state: string; listening: boolean };
};

export type Web = { readonly url: string; stop(): Promise<void> };

/** Serves /healthz (the process lives), /readyz (it takes work) and /metrics (Prometheus). */
export async function startWeb({ host, port, registry, ready }: WebOptions): Promise<Web> {
  const app = Fastify({ logger: false, bodyLimit: 1024, forceCloseConnections: true });
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const state = ready();
    return reply.code(state.ready ? 200 : 503).send(state);
  });
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  const url = await app.listen({ host, port });
  return { url, stop: () => app.close() };
}
