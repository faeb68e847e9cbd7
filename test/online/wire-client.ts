import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';

import { setTimeout as sleep } from 'node:timers/promises';

import { MessageSplitter } from '../support/message-splitter.ts';

export type Reply = { readonly type: string; readonly body: Buffer };

/** A client that sends what it is told, right or wrong, and keeps what it is answered. */
export class WireClient {
  readonly socket: Socket;
  readonly replies: Reply[] = [];
  readonly #raw: Buffer[] = [];
  readonly #splitter = new MessageSplitter((message) =>
    this.replies.push({ type: String.fromCharCode(message[0] ?? 0), body: message.subarray(5) }),
  );
  closed = false;
  #changed: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.#changed();
    });
    socket.on('data', (data: Buffer) => {
      this.#raw.push(data);
      this.#splitter.push(data);
      this.#changed();
    });
  }

  /** `where`: a port of this machine, or the path of a socket. */
  static async open(where: number | string): Promise<WireClient> {
    const socket = typeof where === 'string' ? connectTcp(where) : connectTcp(where, '127.0.0.1');
    const client = new WireClient(socket);
    socket.once('connect', () => client.#changed());
    await client.#when(() => !socket.connecting || client.closed, 'a connection');
    return client;
  }

  /** A client that has logged in. */
  static async login(where: number | string, password = 'secret', user = 'pgscore'): Promise<WireClient> {
    const client = await WireClient.open(where);
    client.send(startPacket({ user }));
    await client.authenticate(password);
    await client.until('Z');
    return client;
  }

  async authenticate(password: string): Promise<void> {
    const first = 'n=,r=abcdefgh';
    await this.until('R');
    this.send(saslInitial(`n,,${first}`));
    const { body } = await this.until('R');
    const answer = body.toString('utf8', 4);
    this.send(message('p', Buffer.from(clientFinal(first, answer, password))));
    await this.until('R');
  }

  /** Bytes that are no messages from here on. */
  get raw(): Buffer {
    return Buffer.concat(this.#raw);
  }

  send(...packets: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(packets));
  }

  /** The next reply of a type; those before it are dropped. */
  async until(type: string): Promise<Reply> {
    const found = await this.#when(() => {
      const index = this.replies.findIndex((reply) => reply.type === type);
      if (index < 0 && this.closed) return 'closed';
      return index < 0 ? undefined : this.replies.splice(0, index + 1).at(-1);
    }, `a message ${type}`);
    if (found === 'closed') throw new Error(`closed before a message ${type}`);
    return found;
  }

  /** The answers to one query, up to the end. */
  async ask(query: string): Promise<Reply[]> {
    this.send(queryPacket(query));
    return this.answer();
  }

  async answer(): Promise<Reply[]> {
    return this.#when(() => {
      const end = this.replies.findIndex(({ type }) => type === 'Z');
      if (end < 0 && this.closed) return [];
      return end < 0 ? undefined : this.replies.splice(0, end + 1);
    }, 'an answer');
  }

  async ended(): Promise<void> {
    await this.#when(() => this.closed, 'the end of the connection');
  }

  /** The fields of the error that ended the connection. */
  async fatal(): Promise<Record<string, string>> {
    await this.ended();
    const error = this.replies.find(({ type }) => type === 'E');
    return error === undefined ? {} : fieldsOf(error);
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Asks at once, and whenever something came: a thousand exchanges must not each wait for a poll. */
  async #when<T>(condition: () => T, message: string): Promise<NonNullable<T>> {
    const limit = new AbortController();
    const late = sleep(LIMIT_MS, 'late', { signal: limit.signal }).catch(() => 'done');
    try {
      for (;;) {
        const changed = new Promise<void>((resolve) => {
          this.#changed = resolve;
        });
        const answer = condition();
        if (answer) return answer;
        if ((await Promise.race([changed, late])) === 'late') throw new Error(`waited ${LIMIT_MS} ms for ${message}`);
      }
    } finally {
      limit.abort();
    }
  }
}

const LIMIT_MS = 60_000;

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function message(type: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(body.length + 4), body]);
}

export function queryPacket(query: string): Buffer {
  return message('Q', Buffer.from(`${query}\0`));
}

export function packet(...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([int32(body.length + 4), body]);
}

export function startPacket(parameters: Record<string, string>, version = 3 << 16): Buffer {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [`${name}\0`, `${value}\0`]);
  return packet(int32(version), Buffer.from(`${pairs.join('')}\0`));
}

export const SSL_REQUEST = packet(int32(80877103));
export const GSS_REQUEST = packet(int32(80877104));

export function cancelPacket(key: Buffer): Buffer {
  return packet(int32(80877102), key);
}

export function saslInitial(data: string, mechanism = 'SCRAM-SHA-256'): Buffer {
  const bytes = Buffer.from(data);
  return message('p', Buffer.concat([Buffer.from(`${mechanism}\0`), int32(bytes.length), bytes]));
}

/** The client's last message of SCRAM-SHA-256. */
export function clientFinal(first: string, answer: string, password: string, header = 'n,,'): string {
  const { r = '', s = '', i = '' } = Object.fromEntries(answer.split(',').map((part) => [part[0], part.slice(2)]));
  const unproven = `c=${Buffer.from(header).toString('base64')},r=${r}`;
  const salted = pbkdf2Sync(password, Buffer.from(s, 'base64'), Number(i), 32, 'sha256');
  const clientKey = hmac(salted, 'Client Key');
  const signature = hmac(createHash('sha256').update(clientKey).digest(), `${first},${answer},${unproven}`);
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!));
  return `${unproven},p=${proof.toString('base64')}`;
}

export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Code -> text of an error. */
export function fieldsOf({ body }: Reply): Record<string, string> {
  const fields = body.toString('utf8').split('\0').filter(Boolean);
  return Object.fromEntries(fields.map((field) => [field[0], field.slice(1)]));
}

/** Values of the rows among some replies. */
export function rowsOf(replies: readonly Reply[]): (string | null)[][] {
  return replies.filter(({ type }) => type === 'D').map(({ body }) => valuesOf(body));
}

function valuesOf(body: Buffer): (string | null)[] {
  const values: (string | null)[] = [];
  for (let at = 2; at < body.length;) {
    const length = body.readInt32BE(at);
    values.push(length < 0 ? null : body.toString('utf8', at + 4, at + 4 + length));
    at += 4 + Math.max(0, length);
  }
  return values;
}
