import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readCommand, type Command } from './command.ts';
import { WireError } from './wire-error.ts';
import type { DatabaseConnection } from '../../postgres/connection.ts';
import { statement } from '../../postgres/statement.ts';

/** Two keys of a block of SHA-256 each: those of the database, which nobody but pgscore's functions and its service can read. */
export type SigningKeys = { readonly inner: Uint8Array; readonly outer: Uint8Array };

/** Ends its connection once it is sent: libpq keeps nothing of an error that is fatal. */
export class NotSigned extends WireError {
  constructor(reason: string) {
    super('42501', `this connection answers pgscore's functions only: ${reason}`, {
      hint: 'Call score(): it connects anew. The connection named pgscore is for pgscore alone.',
    });
    this.name = 'NotSigned';
  }
}

/** A session of PostgreSQL, as what logs in for it says. */
export type Backend = string;

const HELLO = /^hello (?<nonce>[0-9a-f-]{36})$/;
const SIGNED = 'signed ';
const SIGNATURE_CHARACTERS = 44;
const CHALLENGE_BYTES = 16;
/** The welcome goes into the tag of a command, of which libpq keeps 63 bytes. */
const PROOF_BYTES = 16;
const SETS_ENCODING = /^set\s+client_encoding\b/i;

/**
 * Reads the queries of a connection that others in its session may use as well. `hello <nonce>` is answered with a challenge
 * and the proof that it comes from here; each query that asks for anything is signed for the challenge before it.
 */
export class Signing {
  readonly #keys: SigningKeys;
  readonly #backend: Backend;
  #challenge: string | undefined;

  constructor(keys: SigningKeys, backend: Backend) {
    this.#keys = keys;
    this.#backend = backend;
  }

  /** @throws NotSigned for a query that is not signed, not by the keys, or for the second time */
  read(query: string): Command {
    const nonce = HELLO.exec(query)?.groups?.['nonce'];
    if (nonce !== undefined) return { name: 'hello', welcome: this.#welcome(nonce) };
    if (query.startsWith(SIGNED)) return readCommand(this.#verified(query));
    // libpq's own, when it connects.
    if (SETS_ENCODING.test(query)) return readCommand(query);
    throw new NotSigned('a request is not signed');
  }

  #welcome(nonce: string): string {
    const challenge = randomBytes(CHALLENGE_BYTES).toString('base64url');
    this.#challenge = challenge;
    const proof = authenticationCode(this.#keys, `welcome ${this.#backend} ${nonce} ${challenge}`);
    return `${challenge} ${proof.toString('base64', 0, PROOF_BYTES)}`;
  }

  #verified(query: string): string {
    const challenge = this.#challenge;
    this.#challenge = undefined;
    const end = SIGNED.length + SIGNATURE_CHARACTERS;
    const request = query.slice(end + 1);
    if (challenge === undefined)
      throw new NotSigned('a request is signed for no challenge, or for one that was answered');
    const expected = authenticationCode(this.#keys, `request ${this.#backend} ${challenge}\n${request}`);
    const given = Buffer.from(query.slice(SIGNED.length, end), 'base64');
    if (query[end] !== ' ' || given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new NotSigned('the signature of a request is wrong');
    return request;
  }
}

/** HMAC-SHA-256 (RFC 2104), with two keys of a block each in the place of one that is padded twice. */
export function authenticationCode({ inner, outer }: SigningKeys, message: string): Buffer {
  const digest = createHash('sha256').update(inner).update(message).digest();
  return createHash('sha256').update(outer).update(digest).digest();
}

const readKeys = statement<[], SigningKeys>(
  'signing_keys',
  'select inner_key as inner, outer_key as outer from pgscore_data.signing_keys',
);

/** Asks the database for the keys that requests are signed with. */
export function signingKeysOf(connection: DatabaseConnection): () => Promise<SigningKeys> {
  return async () => {
    const [keys] = await connection.insist((client) => readKeys(client)).catch(notRead);
    return keys ?? notRead(new Error('the database has none'));
  };
}

function notRead(cause: unknown): never {
  throw WireError.fatal('58000', 'the keys of signed requests could not be read', {
    hint: 'The log of the service says why; the call may succeed when tried again.',
    cause,
  });
}
