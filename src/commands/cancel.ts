import type { Command } from 'commander';
import { callFunction } from '../client/connection.ts';
import { databaseCommand, invocation } from './invocation.ts';
import { runArgument } from './options.ts';
import { inDatabase } from './connection.ts';

export function addCancel(program: Command): void {
  databaseCommand(program, 'cancel')
    .summary('ask for a run to be stopped')
    .description('Asks for a run to be stopped. Its predictions are discarded; those that were there before stay.')
    .argument('<run>', 'number of the run', runArgument)
    .action(async (run: number, _options, command: Command) => {
      const { flags, output } = invocation(command);
      const asked = await inDatabase(flags, (client) =>
        callFunction(client, 'pgscore.cancel_run', [['run', 'bigint', run]]),
      );
      output.result({ run, cancelling: asked }, () =>
        asked === true ? `Run ${run} is being cancelled.` : `Run ${run} had already ended.`,
      );
    });
}
