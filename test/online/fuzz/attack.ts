import { createHash, pbkdf2Sync } from 'node:crypto';
import { connect, type Socket } from 'node:net';

import {
  cancelPacket,
  GSS_REQUEST,
  hmac,
  int32,
  message,
  queryPacket,
  saslInitial,
  SSL_REQUEST,
  startPacket,
} from '../wire-client.ts';
import { arraySend, numbersText } from '../array-send.ts';
import { mutate, pick, randomOf } from './mutator.ts';

const SCORE = {
  version: 1,
  role: 'alice',
  deadline: 1000,
  log: true,
  id: 'x',
};
const ROWS = [{ x: 1.5 }, { x: '2' }, { x: null }];
const NESTED = [{ x: [1, [2]] }, { x: { y: 1 } }, { x: 'NaN' }];

/** What clients really send, by the state in which they send it. */
const BEFORE_LOGIN: readonly Buffer[] = [
  SSL_REQUEST,
  GSS_REQUEST,
  startPacket({ user: 'pgscore', database: 'any', application_name: 'psql', client_encoding: 'UTF8' }),
  startPacket({ user: 'pgscore', '_pq_.option': 'x' }, (3 << 16) + 9999),
  cancelPacket(Buffer.alloc(8, 1)),
  saslInitial('n,,n=,r=fyko+d2lbbFgONRv9qkxdawL'),
  message('p', Buffer.from(`c=biws,r=fyko+d2lbbFgONRv9qkxdawLabc,p=${Buffer.alloc(32).toString('base64')}`)),
];
const IN_SESSION: readonly Buffer[] = [
  queryPacket('ping'),
  queryPacket('hello 0b8f2f5e-93a5-4c2b-9d3f-0d1f6f3f2a11'),
  queryPacket(`signed ${Buffer.alloc(32).toString('base64')} ping`),
  queryPacket("set client_encoding to 'UTF8'"),
  scorePacket(SCORE, ROWS),
  scorePacket(SCORE, NESTED),
  scorePacket(SCORE, { X: 2.5, other: null }),
  scorePacket({ ...SCORE, reply: 'score' }, { x: 1.5 }),
  scorePacket({ ...SCORE, reply: 'columns' }, ROWS),
  numbersPacket({ ...SCORE, reply: 'columns' }, [[1.5], [null], [2.5]], { id: [1, 2, 3] }),
  scorePacket(
    SCORE,
    Array.from({ length: 20 }, (_, x) => ({ x })),
  ),
  message('P', Buffer.from('s\0select $1\0\0\0')),
  message('B', Buffer.alloc(12)),
  message('D', Buffer.from('S\0')),
  message('E', Buffer.alloc(5)),
  message('C', Buffer.from('S\0')),
  message('H', Buffer.alloc(0)),
  message('S', Buffer.alloc(0)),
  message('F', Buffer.alloc(14)),
  message('d', Buffer.alloc(30)),
  message('c', Buffer.alloc(0)),
];
function scorePacket(head: object, rows: object): Buffer {
  return queryPacket(`score ${JSON.stringify(head)}\n${JSON.stringify(rows)}`);
}

function numbersPacket(head: object, rows: (number | null)[][], about: object): Buffer {
  return queryPacket(`score ${JSON.stringify(head)}\n${numbersText(arraySend(rows), about, [0])}`);
}

const PACKETS_A_CONNECTION = 10;
const ALMOST_EMPTY = 5;

/** A share of all attacks: `packets` of them, from `seed`. Resolves with how many were sent when every connection has ended. */
export async function attack(port: number, seed: number, packets: number): Promise<number> {
  const random = randomOf(seed);
  let sent = 0;
  while (sent < packets) {
    const loggedIn = random() < 0.7;
    const socket = await open(port);
    if (loggedIn) await logIn(socket, random() < 0.1 ? 'pgscore/4711.1764133000123456' : 'pgscore');
    const count = 1 + Math.floor(random() * 2 * (PACKETS_A_CONNECTION - 1));
    const wrong = Array.from({ length: count }, () => wrongPacket(random, loggedIn));
    await sendInPieces(socket, Buffer.concat(wrong), random);
    sent += count;
    await closed(socket);
  }
  return sent;
}

/** Half of the packets keep a right length around what is wrong, to get past the first check. */
function wrongPacket(random: () => number, loggedIn: boolean): Buffer {
  const right = pick(random, loggedIn ? IN_SESSION : BEFORE_LOGIN);
  if (random() < 0.1) return right;
  if (!loggedIn || random() < 0.3) return mutate(random, right);
  const body = mutate(random, right.subarray(ALMOST_EMPTY));
  const ended =
    right[0] === 'Q'.charCodeAt(0) && random() < 0.8 ? Buffer.concat([body.map((b) => b || 32), Buffer.of(0)]) : body;
  return Buffer.concat([right.subarray(0, 1), int32(ended.length + 4), ended]);
}

async function sendInPieces(socket: Socket, bytes: Buffer, random: () => number): Promise<void> {
  const cuts = random() < 0.5 ? 0 : Math.floor(random() * 4);
  let rest = bytes;
  for (let cut = 0; cut < cuts; cut += 1) {
    const at = Math.floor(random() * rest.length);
    socket.write(rest.subarray(0, at));
    rest = rest.subarray(at);
    await new Promise(setImmediate);
  }
  if (random() < 0.05) socket.write(rest, () => socket.resetAndDestroy());
  else socket.end(rest);
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
    socket.on('error', () => undefined);
  });
}

const LIMIT_MS = 30_000;

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('a connection that was half closed stays open')), LIMIT_MS);
    const end = (): void => {
      clearTimeout(late);
      resolve();
    };
    if (socket.closed) return end();
    socket.resume();
    socket.once('close', end);
  });
}

const saltedPasswords = new Map<string, Buffer>();

/** The salt of a user stays, so the costly part is done once. */
async function logIn(socket: Socket, user: string): Promise<void> {
  const first = 'n=,r=abcdefgh';
  socket.write(startPacket({ user }));
  await heard(socket);
  socket.write(saslInitial(`n,,${first}`));
  const answer = (await heard(socket)).toString('utf8', 9);
  const { r = '', s = '', i = '' } = Object.fromEntries(answer.split(',').map((part) => [part[0], part.slice(2)]));
  const salted = saltedPasswords.get(s) ?? pbkdf2Sync('secret', Buffer.from(s, 'base64'), Number(i), 32, 'sha256');
  saltedPasswords.set(s, salted);
  const unproven = `c=biws,r=${r}`;
  const clientKey = hmac(salted, 'Client Key');
  const signature = hmac(createHash('sha256').update(clientKey).digest(), `${first},${answer},${unproven}`);
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!)).toString('base64');
  socket.write(message('p', Buffer.from(`${unproven},p=${proof}`)));
  while ((await heard(socket)).at(-6) !== 'Z'.charCodeAt(0));
}

function heard(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.off('data', onData).off('close', onClose).pause();
    };
    const onData = (data: Buffer): void => {
      settle();
      resolve(data);
    };
    const onClose = (): void => {
      settle();
      reject(new Error('closed during a login that was right'));
    };
    socket.on('data', onData).on('close', onClose).resume();
  });
}
