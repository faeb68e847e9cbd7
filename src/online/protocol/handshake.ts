import type { SecureContext } from 'node:tls';
import { VERSION } from '../../version.ts';
import type { Connection } from './connection.ts';
import type { Message } from './frames.ts';
import * as replies from './replies.ts';
import { MECHANISM, type ScramLogin } from './scram.ts';
import type { Backend, Signing } from './signing.ts';
import { checkEncoding } from './command.ts';
import { protocolViolation, WireError } from './wire-error.ts';

export type HandshakeOptions = {
  readonly login: ScramLogin;
  readonly tls: SecureContext | undefined;
  readonly signing: (backend: Backend) => Promise<Signing>;
};

/** A client that has proven who it is; where it logged in as `pgscore/<backend>`, how what it asks is signed. */
export type Login = { readonly signing: Signing | undefined };

export type CancelKey = { readonly pid: number; readonly secret: number };

const START_PACKET_BYTES = 10_000;
const AUTHENTICATION_BYTES = 4096;
const SIGNING_USER = /^(?<login>.+)\/(?<backend>\d+\.\d+)$/s;

/** psql wants a number first. DateStyle and IntervalStyle must not be among them: dblink would take them over. */
const STATUS = {
  server_version: `18.0 (pgscore ${VERSION})`,
  server_encoding: 'UTF8',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  integer_datetimes: 'on',
};

/** From the first packet until the client has proven who it is: a login, or a request to cancel another session's call. */
export async function shakeHands(connection: Connection, options: HandshakeOptions): Promise<Login | CancelKey> {
  const packet = await firstPacket(connection, options.tls);
  if (packet.kind === 'cancel') return { pid: packet.pid, secret: packet.secret };
  if (options.tls !== undefined && !connection.secured && !connection.isLocal) {
    throw WireError.fatal('28000', 'this port asks for TLS', { hint: 'Connect with sslmode=verify-full.' });
  }
  const user = packet.parameters.get('user');
  if (user === undefined || user === '') throw WireError.fatal('28000', 'the start-up packet names no user');
  const { login = user, backend } = SIGNING_USER.exec(user)?.groups ?? {};
  await authenticate(connection, options.login.exchange(login), negotiated(packet));
  checkEncodingOf(packet.parameters);
  return { signing: backend === undefined ? undefined : await options.signing(backend) };
}

/** The messages that tell a client that it is in. */
export function greeting({ pid, secret }: CancelKey): Buffer {
  const status = Object.entries(STATUS).map(([name, value]) => replies.parameterStatus(name, value));
  return Buffer.concat([replies.AUTHENTICATION_OK, ...status, replies.backendKey(pid, secret), replies.READY]);
}

type FirstPacket = Extract<StartPacket, { kind: 'start' | 'cancel' }>;

/** Either kind of encryption may be asked for once. */
async function firstPacket(connection: Connection, tls: SecureContext | undefined): Promise<FirstPacket> {
  const asked = new Set<string>();
  for (;;) {
    const packet = readStartPacket(await connection.packet(START_PACKET_BYTES));
    if (packet.kind === 'start' || packet.kind === 'cancel') return packet;
    if (asked.has(packet.kind) || connection.secured) throw protocolViolation('encryption was asked for twice');
    asked.add(packet.kind);
    // What came in clear before the answer must not pass for what came under TLS.
    if (connection.buffered > 0) throw protocolViolation('unencrypted data came with a request for encryption');
    const accepted = packet.kind === 'tls' && tls !== undefined;
    await connection.write(Buffer.from(accepted ? 'S' : 'N'));
    if (accepted) await connection.secure(tls);
  }
}

function negotiated({ minor, parameters }: Extract<StartPacket, { kind: 'start' }>): Buffer {
  const unknown = [...parameters.keys()].filter((name) => name.startsWith('_pq_.'));
  return minor > 0 || unknown.length > 0 ? replies.negotiateProtocol(unknown) : Buffer.alloc(0);
}

async function authenticate(
  connection: Connection,
  exchange: ReturnType<ScramLogin['exchange']>,
  before: Buffer,
): Promise<void> {
  await connection.write(Buffer.concat([before, replies.saslMechanisms(MECHANISM)]));
  const first = initialResponse(await saslMessage(connection));
  await connection.write(replies.saslContinue(exchange.first(first)));
  await connection.write(replies.saslFinal(exchange.final(await saslMessage(connection))));
}

async function saslMessage(connection: Connection): Promise<Buffer> {
  const { type, body }: Message = await connection.message(AUTHENTICATION_BYTES);
  if (type === 'p') return body;
  throw protocolViolation('a client that has not logged in sent something else');
}

/** The mechanism, and the length of the data behind it. */
function initialResponse(body: Buffer): Buffer {
  const end = body.indexOf(0);
  if (end < 0 || body.length < end + 5) throw protocolViolation('malformed SASL message');
  if (body.toString('latin1', 0, end) !== MECHANISM)
    throw protocolViolation(`this port logs in with ${MECHANISM} only`);
  const data = body.subarray(end + 5);
  if (body.readInt32BE(end + 1) !== data.length) throw protocolViolation('malformed SASL message');
  return data;
}

function checkEncodingOf(parameters: ReadonlyMap<string, string>): void {
  try {
    checkEncoding(parameters.get('client_encoding') ?? 'UTF8');
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw WireError.fatal(error.sqlstate, error.message, error);
  }
}

/** What a client may begin with. */
type StartPacket =
  | { readonly kind: 'tls' | 'gss' }
  | { readonly kind: 'cancel'; readonly pid: number; readonly secret: number }
  | { readonly kind: 'start'; readonly minor: number; readonly parameters: ReadonlyMap<string, string> };

const CANCEL = 80877102;
const TLS = 80877103;
const GSS = 80877104;
const MAJOR = 3;

/** Reads the body of a packet, whatever it holds. */
function readStartPacket(body: Buffer): StartPacket {
  if (body.length < 4) throw protocolViolation('the first packet is too short');
  const code = body.readInt32BE(0);
  if (code === TLS || code === GSS) {
    if (body.length !== 4) throw protocolViolation('a request for encryption has the wrong length');
    return { kind: code === TLS ? 'tls' : 'gss' };
  }
  if (code === CANCEL) {
    if (body.length !== 12) throw protocolViolation('a request to cancel has the wrong length');
    return { kind: 'cancel', pid: body.readInt32BE(4), secret: body.readInt32BE(8) };
  }
  const [major, minor] = [body.readUInt16BE(0), body.readUInt16BE(2)];
  if (major !== MAJOR)
    throw WireError.fatal('0A000', `protocol ${major}.${minor} is not supported: this port speaks 3.0`);
  return { kind: 'start', minor, parameters: readParameters(body.subarray(4)) };
}

/** Pairs of strings, each ended by a zero byte, and one more zero byte. */
function readParameters(body: Buffer): Map<string, string> {
  const parameters = new Map<string, string>();
  for (let at = 0; ;) {
    const [name, afterName] = readString(body, at);
    if (name === '') {
      if (afterName !== body.length) throw protocolViolation('the start-up packet goes on after its end');
      return parameters;
    }
    const [value, afterValue] = readString(body, afterName);
    parameters.set(name, value);
    at = afterValue;
  }
}

function readString(body: Buffer, from: number): [text: string, after: number] {
  const end = body.indexOf(0, from);
  if (end < 0) throw protocolViolation('the start-up packet ends in the middle of a string');
  return [body.toString('utf8', from, end), end + 1];
}
