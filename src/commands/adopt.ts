import type { Command } from 'commander';
import { setting } from '../config.ts';
import { connect } from '../postgres/connect.ts';
import { adopt } from '../install/installation.ts';
import { databaseCommand, invocation } from './options.ts';
import { withClient } from './connection.ts';

const DESCRIPTION = `Makes a restored copy of a database an installation of its own.

A database that was restored from a backup, or cloned, holds the schedules and the queue of the original. Its service
therefore starts paused until this command says that the copy is meant to act. Run it as a member of pgscore_owner.`;

export function addAdopt(program: Command): void {
  databaseCommand(program, 'adopt')
    .summary('let the service act in a restored copy of a database')
    .description(DESCRIPTION)
    .action(async (_options, command: Command) => {
      const { flags, output } = invocation(command);
      const connecting = connect({ url: setting('databaseUrl', flags), applicationName: 'pgscore adopt' });
      const { database, was } = await withClient(connecting, async (client) => ({
        was: await adopt(client),
        database: client.database ?? '',
      }));
      output.result({ database, was }, () =>
        was === 'copy'
          ? `Database "${database}" is now an installation of its own; its service goes on.`
          : `Database "${database}" is no copy; there was nothing to do.`,
      );
    });
}
