import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { protocolViolation, WireError } from './wire-error.ts';

/** SCRAM-SHA-256 of RFC 5802 and RFC 7677, the server's part, as PostgreSQL does it: the user is that of the start-up. */
export const MECHANISM = 'SCRAM-SHA-256';

/** How often a password is hashed before it is used: against those who listen and guess, and at the cost of each who logs in. */
export const ITERATIONS_OF_PASSWORD = 4096;
/** Nobody guesses a random key, and 4096 times take a session 2 ms; fewer than these FIPS 140 does not let. */
export const ITERATIONS_OF_KEY = 1000;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const NONCE_BYTES = 18;

type Verifier = {
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
  readonly known: boolean;
};

/** The one login of the gateway. Any other user goes through the same exchange, against keys that no password has. */
export class ScramLogin {
  readonly #user: string;
  readonly #iterations: number;
  readonly #saltKey = randomBytes(KEY_BYTES);
  readonly #real: Verifier;
  readonly #fake = { storedKey: randomBytes(KEY_BYTES), serverKey: randomBytes(KEY_BYTES), known: false };

  constructor(user: string, password: string, iterations = ITERATIONS_OF_PASSWORD) {
    this.#user = user;
    this.#iterations = iterations;
    const salt = this.#saltOf(user);
    const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, KEY_BYTES, 'sha256');
    this.#real = {
      salt,
      storedKey: sha256(hmac(salted, 'Client Key')),
      serverKey: hmac(salted, 'Server Key'),
      known: true,
    };
  }

  exchange(user: string): ScramExchange {
    const fake = { ...this.#fake, salt: this.#saltOf(user) };
    return new ScramExchange(user, user === this.#user ? this.#real : fake, this.#iterations);
  }

  /** The same at every try, so that it does not tell who exists. */
  #saltOf(user: string): Buffer {
    return hmac(this.#saltKey, user).subarray(0, SALT_BYTES);
  }
}

const FIRST = /^(?<header>[ny],,)(?<bare>n=[^,]*,r=(?<nonce>[!-+\--~]+)(?:,.*)?)$/s;
const FINAL =
  /^(?<unproven>c=(?<channel>[^,]*),r=(?<nonce>[^,]*)(?:,[a-oq-z]=[^,]*)*),p=(?<proof>[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)$/;

/** One attempt to log in: the client's first message, then its final one. */
export class ScramExchange {
  readonly #user: string;
  readonly #verifier: Verifier;
  readonly #iterations: number;
  #header = '';
  #nonce = '';
  #messages = '';

  constructor(user: string, verifier: Verifier, iterations: number) {
    this.#user = user;
    this.#verifier = verifier;
    this.#iterations = iterations;
  }

  /** Answers the first message with nonce, salt and iterations. */
  first(message: Buffer): string {
    const { header, bare, nonce } = matched<'header' | 'bare' | 'nonce'>(FIRST, message);
    const answer = `r=${nonce}${randomBytes(NONCE_BYTES).toString('base64')},s=${this.#verifier.salt.toString('base64')},i=${this.#iterations}`;
    this.#header = header;
    this.#nonce = answer.slice(2, answer.indexOf(','));
    this.#messages = `${bare},${answer}`;
    return answer;
  }

  /** Answers the final message, where it proves the password, with the server's own proof. */
  final(message: Buffer): string {
    const { unproven, channel, nonce, proof } = matched<'unproven' | 'channel' | 'nonce' | 'proof'>(FINAL, message);
    if (channel !== Buffer.from(this.#header).toString('base64') || nonce !== this.#nonce) throw malformed();
    const { storedKey, serverKey, known } = this.#verifier;
    const signed = `${this.#messages},${unproven}`;
    const signature = hmac(storedKey, signed);
    const clientKey = Buffer.from(proof, 'base64').map((byte, index) => byte ^ (signature[index] ?? 0));
    const proven = timingSafeEqual(sha256(clientKey), storedKey);
    if (!proven || !known) throw refused(this.#user);
    return `v=${hmac(serverKey, signed).toString('base64')}`;
  }
}

function matched<Name extends string>(pattern: RegExp, message: Buffer): Record<Name, string> {
  const groups = isUtf8(message) ? pattern.exec(message.toString('utf8'))?.groups : undefined;
  if (groups === undefined) throw malformed();
  return groups as Record<Name, string>;
}

function malformed(): WireError {
  return protocolViolation('malformed SCRAM message');
}

function refused(user: string): WireError {
  return WireError.fatal('28P01', `password authentication failed for user "${user.slice(0, 63)}"`);
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
