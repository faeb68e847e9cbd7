import type { Link } from '../../postgres/connection.ts';
import { statement } from '../../postgres/statement.ts';
import type { SigningKeys } from './signing.ts';
import { WireError } from './wire-error.ts';

const readKeys = statement<[], SigningKeys>(
  'signing_keys',
  'select inner_key as inner, outer_key as outer from pgscore_data.signing_keys',
);

/** Asks the database for the keys that requests are signed with. */
export function signingKeysOf(link: Link): () => Promise<SigningKeys> {
  return async () => {
    const [keys] = await link.insist((client) => readKeys(client)).catch(notRead);
    return keys ?? notRead(new Error('the database has none'));
  };
}

function notRead(cause: unknown): never {
  throw WireError.fatal('58000', 'the keys of signed requests could not be read', {
    hint: 'The log of the service says why; the call may succeed when tried again.',
    cause,
  });
}
