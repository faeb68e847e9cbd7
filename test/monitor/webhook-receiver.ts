import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll } from '@jest/globals';
import type { AlertMessage } from '../../src/monitor/alerts.ts';

export type Received = { path: string; headers: IncomingHttpHeaders; body: string; message: AlertMessage };

/** Something that takes what is posted to it on loopback, and answers as it is told: 200, unless `answer` says otherwise. */
export class WebhookReceiver {
  readonly received: Received[] = [];
  answer: (response: ServerResponse) => void = ok;
  #server: Server | undefined;
  #port = 0;

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    await receiver.open();
    afterAll(() => receiver.close());
    return receiver;
  }

  get port(): number {
    return this.#port;
  }

  /** On the port that it had before, if it had one. */
  async open(): Promise<void> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        const message = JSON.parse(body) as AlertMessage;
        // A connection that is kept and closed later would look to its next message as one that broke off.
        response.shouldKeepAlive = false;
        this.received.push({ path: request.url ?? '', headers: request.headers, body, message });
        this.answer(response);
      });
    });
    this.#server = server;
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}

export function ok(response: ServerResponse): void {
  response.writeHead(200).end();
}

/** Whether a message was signed with a secret within the last minute, as a receiver would find out. */
export function isSigned({ headers, body }: Received, secret: string): boolean {
  const [, seconds = '', digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-pgscore-signature'])) ?? [];
  const expected = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return digest === expected && Math.abs(Date.now() / 1000 - Number(seconds)) < 60;
}
