import type { Command } from 'commander';
import { setting } from '../config.ts';
import { migrate, type Migrated } from '../install/migrate.ts';
import { databaseCommand, invocation, settingOption } from './options.ts';

const DESCRIPTION = `Installs pgscore in a database, or brings it up to date. Safe to run again, and from several places at once: it says whose session it waits for, for five minutes.

Run it as the owner of the database, or as a role with CREATE on it. The role needs CREATEROLE only where the six roles
of pgscore do not exist yet; no superuser is needed. What is missing is named with the line that a DBA can run.`;

export function addMigrate(program: Command): void {
  databaseCommand(program, 'migrate')
    .summary('install pgscore in a database, or bring it up to date')
    .description(DESCRIPTION)
    .addOption(settingOption('servicePassword'))
    .addOption(settingOption('readerPassword'))
    .option('--no-public-score', 'do not make public.score(): score() is then called as pgscore.score()')
    .action(async (options: { publicScore: boolean }, command: Command) => {
      const { flags, output } = invocation(command);
      const migrated = await migrate({
        url: setting('databaseUrl', flags),
        servicePassword: setting('servicePassword', flags),
        readerPassword: setting('readerPassword', flags),
        publicScore: options.publicScore,
        tell: (line) => output.note(line),
      });
      output.result(migrated, () => migratedText(migrated));
    });
}

/** What was done, and what is left to do. */
function migratedText(migrated: Migrated): string {
  const { database, version, createdRoles, applied, passwords, state } = migrated;
  const fresh = createdRoles.length > 0 || applied.length > 0;
  return [
    ...listed('Created roles', createdRoles),
    ...listed('Applied', applied),
    ...listed('Set the passwords of', passwords),
    `pgscore ${version} is ${fresh ? 'installed' : 'up to date'} in database "${database}".`,
    ...publicScoreText(migrated),
    ...dblinkText(migrated),
    ...(state === 'copy'
      ? ['', 'This database is a restored copy of another: pgscore adopt makes it the installation.']
      : []),
    ...(fresh ? ['', 'Next:', ...nextSteps(createdRoles, passwords)] : []),
  ].join('\n');
}

function publicScoreText({ publicScore }: Migrated): string[] {
  if (publicScore === 'created' || publicScore === 'not asked for') return [];
  const why =
    publicScore === 'name taken' ? 'public has a score() of its own' : 'this role may not add to schema public';
  return [`Call pgscore.score() with its schema: ${why}.`];
}

function dblinkText({ dblink }: Migrated): string[] {
  if (dblink.state === 'ready') return [];
  if (dblink.state === 'signed')
    return [`score() signs what it asks the service: dblink is in schema "${dblink.schema}", where others can use it.`];
  return [`score() is native only: ${dblink.reason}.`, `  ${dblink.remedy}`];
}

function listed(what: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`${what} ${names.join(', ')}.`];
}

function nextSteps(createdRoles: readonly string[], passwords: readonly string[]): string[] {
  const unset = ['pgscore_service', 'pgscore_reader'].filter(
    (role) => createdRoles.includes(role) && !passwords.includes(role),
  );
  return [
    ...unset.map((role) => `  \\password ${role}  -- in psql, which sends a hash; pgscore serve logs in with it`),
    '  grant pgscore_user to …;  -- may score; pgscore_deployer may deploy as well, pgscore_analyst reads the monitoring views',
    '  pgscore serve  -- with PGSCORE_DATABASE_URL=postgresql://pgscore_service@host/database',
  ];
}
