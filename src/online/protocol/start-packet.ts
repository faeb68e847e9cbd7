import { protocolViolation, WireError } from './wire-error.ts';

/** What a client may begin with. */
export type StartPacket =
  | { readonly kind: 'tls' | 'gss' }
  | { readonly kind: 'cancel'; readonly pid: number; readonly secret: number }
  | { readonly kind: 'start'; readonly minor: number; readonly parameters: ReadonlyMap<string, string> };

const CANCEL = 80877102;
const TLS = 80877103;
const GSS = 80877104;
const MAJOR = 3;

/** Reads the body of a packet, whatever it holds. */
export function readStartPacket(body: Buffer): StartPacket {
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
