import type { Command } from 'commander';
import { databaseCommand } from './options.ts';
import type { Row } from './output.ts';
import { columns, printRows } from './print.ts';

const DESCRIPTION = `Lists the alerts of your models that are raised or about to be, or with --all every rule and where it stands.

Rules are set with pgscore.set_alert(); pgscore_bi.alert_history has what was raised before.`;

export function addAlerts(program: Command): void {
  databaseCommand(program, 'alerts')
    .summary('list the alerts that are raised')
    .description(DESCRIPTION)
    .argument('[model]', 'of one model')
    .option('--all', 'every rule, whatever its state')
    .action((model: string | undefined, { all = false }: { all?: boolean }, command: Command) =>
      printRows(command, {
        text: ALERTS,
        values: [model ?? null, all],
        model,
        shown: briefly,
        nothing: all ? 'No model is deployed.' : 'No alert is raised.',
      }),
    );
}

const ALERTS = `select * from pgscore.alerts
  where ($1::text is null or model = $1) and ($2 or state in ('firing', 'no_data', 'pending')) order by model, alert, column_name`;

const others = columns('state, severity, since, message');

function briefly(row: Row): Row {
  const { model, version, alert, column_name: column } = row;
  return { model: version === null ? model : `${String(model)}@${Number(version)}`, alert, column, ...others(row) };
}
