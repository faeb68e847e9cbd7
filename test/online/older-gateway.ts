import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { afterAll } from '@jest/globals';

import { errorResponse, READY } from '../../src/online/protocol/replies.ts';
import { WireError } from '../../src/online/protocol/wire-error.ts';
import { MessageSplitter } from '../support/message-splitter.ts';

/** What a gateway of an earlier release makes of a request of score; undefined where it knows all of it. */
export type Release = {
  readonly refuses: (request: string) => WireError | undefined;
  readonly signs: boolean;
};

const BOTH = 'The functions in the database and the service may be of different releases: run pgscore migrate';

/** Earlier releases, from the last to the first, by what was not known yet. */
export const RELEASES = {
  'which rows of all they are': {
    refuses: (request) => (bodyOf(request).startsWith('numbers\n') ? undefined : notJson(bodyOf(request))),
    signs: true,
  },
  'rows of numbers': { refuses: (request) => notJson(bodyOf(request)), signs: true },
  'several kinds of replies': {
    refuses: (request) =>
      /^[^\n]*"reply":/.test(request)
        ? new WireError('22023', 'the request of score is not valid: "reply" is not known', { hint: `${BOTH}.` })
        : undefined,
    signs: false,
  },
  'a line of its own for what is not rows': {
    refuses: (request) => notJson(request, { hint: `${BOTH}.` }),
    signs: false,
  },
} satisfies Record<string, Release>;

function bodyOf(request: string): string {
  return request.slice(request.indexOf('\n') + 1);
}

function notJson(text: string, parts = { hint: `${BOTH}, and restart the service.` }): WireError | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch {
    if (!/\}\s*;\s*\S/.test(text)) return new WireError('22P02', 'the request of score is not JSON', parts);
    const hint = 'Connect to the database itself, and call score() there.';
    return new WireError('0A000', 'this port answers one statement at a time', { hint });
  }
}

/** A session of the database was no more than a part of an unknown name. */
function asStranger(start: Buffer): Buffer {
  return Buffer.from(start.toString('latin1').replace(/\/(?=\d+\.\d+\0)/, '-'), 'latin1');
}

export type OlderGateway = {
  readonly port: number;
  /** Is of that release from now on, in sessions that are connected, too; undefined: of today's. */
  become(release: Release | undefined): void;
};

/** Stands before a gateway, and answers itself what one of an earlier release would have refused. It ends with the test file. */
export async function startOlderGateway(port: number): Promise<OlderGateway> {
  let release: Release | undefined;
  const open = new Set<Socket>();
  const answer = (message: Buffer): WireError | undefined => {
    const query = /^(?:signed \S+ )?score (?<request>.*)\0$/s.exec(message.toString('utf8', 5))?.groups;
    return message.at(0) === 'Q'.charCodeAt(0) && query ? release?.refuses(query['request'] ?? '') : undefined;
  };
  const accept = (client: Socket): void => {
    const server = connect(port, '127.0.0.1');
    const messages = new MessageSplitter((message) => {
      const error = answer(message);
      if (error === undefined) server.write(message);
      else client.write(Buffer.concat([errorResponse(error), READY]));
    });
    client.once('data', (start: Buffer) => {
      server.write(release?.signs === false ? asStranger(start) : start);
      client.on('data', (bytes: Buffer) => messages.push(bytes));
    });
    server.pipe(client);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => undefined).on('close', () => other.destroy());
    }
  };
  const listener = createServer(accept).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  afterAll(() => {
    listener.close();
    for (const socket of open) socket.destroy();
  });
  return {
    port: (listener.address() as AddressInfo).port,
    become: (next) => {
      release = next;
    },
  };
}
