import Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { PgscoreError } from '../errors.ts';
import { isAddressedHere, servePage, type PageOptions } from './page-routes.ts';

export type WebOptions = {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  /** Who may look at the page, and the connection that it reads with. */
  readonly page: Omit<PageOptions, 'host'>;
  readonly ready: () => { ready: boolean; state: string; listening: boolean; gateway: boolean };
};

export type Web = { readonly url: string; stop(): Promise<void> };

/** They name models, and what works: not for a site that has its own name mean this machine. */
const INSIDE = ['/readyz', '/metrics'];

/** Serves the page at /, and /healthz (the process lives), /readyz (it takes work) and /metrics (Prometheus). */
export async function startWeb({ host, port, registry, ready, page }: WebOptions): Promise<Web> {
  const app = Fastify({ logger: false, bodyLimit: 1024, forceCloseConnections: true });
  app.get('/healthz', () => ({ status: 'ok' }));
  app.addHook('onRequest', async ({ headers, routeOptions: { url } }, reply) => {
    if (!INSIDE.includes(url ?? '') || isAddressedHere(host, headers)) return;
    await reply.code(421).type('text/plain').send('This service listens on loopback, and answers to localhost only.\n');
  });
  app.get('/readyz', (_request, reply) => {
    const state = ready();
    return reply.code(state.ready ? 200 : 503).send(state);
  });
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  await app.register((scope) => servePage(scope, { ...page, host }));
  const url = await listen(app, host, port);
  return { url, stop: () => app.close() };
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PgscoreError('http_unavailable', `cannot serve HTTP on ${host}:${port}: ${reason}`, {
      remedy: 'Choose another port with --http-port; 0 takes a free one.',
      cause,
    });
  }
}
