import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { afterAll } from '@jest/globals';

import { errorResponse, READY } from '../../src/online/protocol/replies.ts';
import { WireError } from '../../src/online/protocol/wire-error.ts';
import { MessageSplitter } from '../support/message-splitter.ts';

/** Rows of numbers, and which of all rows they are, come behind the head of a request: a release that knows neither reads JSON alone. */
function refusalOf(request: string): WireError | undefined {
  try {
    JSON.parse(request.slice(request.indexOf('\n') + 1));
    return undefined;
  } catch {
    return new WireError('22P02', 'the request of score is not JSON');
  }
}

export type OlderGateway = {
  readonly port: number;
  /** Is of another release from now on, in sessions that are connected, too; or of this one again. */
  become(release: 'another' | 'this'): void;
};

/** Stands before a gateway, and refuses itself what one of another release would not know. It ends with the test file. */
export async function startOlderGateway(port: number): Promise<OlderGateway> {
  let isAnother = false;
  const open = new Set<Socket>();
  const answer = (message: Buffer): WireError | undefined => {
    const query = /^(?:signed \S+ )?score (?<request>.*)\0$/s.exec(message.toString('utf8', 5))?.groups;
    return message.at(0) === 'Q'.charCodeAt(0) && query && isAnother ? refusalOf(query['request'] ?? '') : undefined;
  };
  const accept = (client: Socket): void => {
    const server = connect(port, '127.0.0.1');
    const messages = new MessageSplitter((message) => {
      const error = answer(message);
      if (error === undefined) server.write(message);
      else client.write(Buffer.concat([errorResponse(error), READY]));
    });
    client.once('data', (start: Buffer) => {
      server.write(start);
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
    become: (release) => {
      isAnother = release === 'another';
    },
  };
}
