import type { Command } from 'commander';
import { inDatabase } from './connection.ts';
import { databaseCommand, invocation } from './invocation.ts';
import { rowsOfModel } from './models.ts';
import { numberOption } from './options.ts';
import { tableOf } from './output.ts';

const DESCRIPTION = `Lists who changed models and when, the newest first, for members of pgscore_deployer.

Of a promotion that was forced, detail has the reason and the gates that the version did not pass.`;

const MOST = 100;

export function addAudit(program: Command): void {
  databaseCommand(program, 'audit')
    .summary('list who changed models, when and why')
    .description(DESCRIPTION)
    .argument('[model]', 'of one model')
    .option('--limit <n>', `how many changes, the newest first (default: ${MOST})`, numberOption('--limit'))
    .action(async (model: string | undefined, { limit = MOST }: { limit?: number }, command: Command) => {
      const { flags, output } = invocation(command);
      const text = `select at, actor, action, model, version, detail from pgscore.audit
         where $1::text is null or model = $1 order by at desc limit $2`;
      const changes = await inDatabase(flags, async (client) =>
        rowsOfModel(client, model, (await client.query(text, [model ?? null, limit])).rows),
      );
      output.result(changes, () => tableOf(changes, 'Nothing was changed yet.'));
    });
}
