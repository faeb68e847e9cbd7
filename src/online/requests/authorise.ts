import type { Link } from '../../postgres/connection.ts';
import { statement } from '../../postgres/statement.ts';
import type { Permission } from './permissions.ts';
import { WireError } from '../protocol/wire-error.ts';

const mayScore = statement<[role: string, versionId: number], { permitted: boolean | null }>(
  'may_score',
  'select pgscore._may_score($1, $2) as permitted',
);

/** Asks the database, where the grants are. */
export function permissionOf(link: Link): Permission {
  return async (role, versionId) => {
    try {
      const [row] = await link.insist((client) => mayScore(client, role, versionId));
      return row?.permitted === true;
    } catch (cause) {
      throw new WireError('58000', `the database could not be asked whether "${role}" may score`, {
        hint: 'The log of the service says why; the call may succeed when tried again.',
        cause,
      });
    }
  };
}
