import type { WireError } from './wire-error.ts';

/** Messages of the server, as bytes. */

/** A message of one type over its parts; strings go as UTF-8 with a zero byte behind them. */
function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const bodies = parts.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\0`) : part));
  const length = bodies.reduce((sum, { length: bytes }) => sum + bytes, 4);
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(length), ...bodies]);
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

const END = Buffer.alloc(1);

export const AUTHENTICATION_OK = message('R', int32(0));
export const EMPTY_QUERY = message('I');
/** Idle: there are no transactions here. */
export const READY = message('Z', Buffer.from('I'));

export function saslMechanisms(mechanism: string): Buffer {
  return message('R', int32(10), mechanism, END);
}

export function saslContinue(data: string): Buffer {
  return message('R', int32(11), Buffer.from(data));
}

export function saslFinal(data: string): Buffer {
  return message('R', int32(12), Buffer.from(data));
}

const PROTOCOL_3_0 = 3 << 16;

/** Says that 3.0 is all we speak, and which options of a newer protocol we do not know. */
export function negotiateProtocol(unknown: readonly string[]): Buffer {
  return message('v', int32(PROTOCOL_3_0), int32(unknown.length), ...unknown);
}

export function parameterStatus(name: string, value: string): Buffer {
  return message('S', name, value);
}

export function backendKey(pid: number, secret: number): Buffer {
  return message('K', int32(pid), int32(secret));
}

export function commandComplete(tag: string): Buffer {
  return message('C', tag);
}

export function errorResponse({ severity, sqlstate, message: text, detail, hint }: WireError): Buffer {
  const fields = Object.entries({ S: severity, V: severity, C: sqlstate, M: text, D: detail, H: hint });
  // A zero byte would end the field.
  const given = fields.flatMap(([code, value]) => (value ? [`${code}${value.replaceAll('\0', '')}`] : []));
  return message('E', ...given, END);
}

export type ReplyColumn = { readonly name: string; readonly type: 'float8' | 'text' };

const TYPES = { float8: { oid: 701, size: 8 }, text: { oid: 25, size: -1 } };

/** Columns of no table, without a modifier, as text. */
export function rowDescription(columns: readonly ReplyColumn[]): Buffer {
  const fields = columns.flatMap(({ name, type }) => {
    const { oid, size } = TYPES[type];
    return [name, int32(0), int16(0), int32(oid), int16(size), int32(-1), int16(0)];
  });
  return message('T', int16(columns.length), ...fields);
}

export function dataRow(values: readonly (string | null)[]): Buffer {
  const fields = values.flatMap((value) => {
    if (value === null) return [int32(-1)];
    const bytes = Buffer.from(value);
    return [int32(bytes.length), bytes];
  });
  return message('D', int16(values.length), ...fields);
}
