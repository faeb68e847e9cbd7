import type { Command } from 'commander';
import type pg from 'pg';
import { catalog, rowsOf } from '../postgres/catalog.ts';
import { databaseCommand, invocation } from './options.ts';
import { rowsOfModel } from './models.ts';
import { tableOf, type Row } from './output.ts';
import { inDatabase } from './connection.ts';

const DESCRIPTION = `Lists the alerts of your models that are raised or about to be, or with --all every rule and where it stands.

Rules are set with pgscore.set_alert(); pgscore_bi.alert_history has what was raised before.`;

export function addAlerts(program: Command): void {
  databaseCommand(program, 'alerts')
    .summary('list the alerts that are raised')
    .description(DESCRIPTION)
    .argument('[model]', 'of one model')
    .option('--all', 'every rule, whatever its state')
    .action(async (model: string | undefined, { all = false }: { all?: boolean }, command: Command) => {
      const { flags, output } = invocation(command);
      const alerts = await inDatabase(flags, (client) => listAlerts(client, model, all));
      output.result(alerts, () => tableOf(alerts.map(briefly), all ? 'No model is deployed.' : 'No alert is raised.'));
    });
}

type Alert = Awaited<ReturnType<typeof listAlerts>>[number];

async function listAlerts(client: pg.Client, model: string | undefined, all: boolean) {
  let query = catalog.selectFrom('pgscore.alerts').selectAll();
  if (model !== undefined) query = query.where('model', '=', model);
  if (!all) query = query.where('state', 'in', ['firing', 'no_data', 'pending']);
  const alerts = await rowsOf(client, query.orderBy('model').orderBy('alert').orderBy('column_name'));
  return rowsOfModel(client, model, alerts);
}

function briefly({ model, version, alert, column_name: column, state, severity, since, message }: Alert): Row {
  const watched = version === null ? model : `${model}@${version}`;
  return { model: watched, alert, column, state, severity, since, message };
}
