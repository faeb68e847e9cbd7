import type { Command } from 'commander';
import type pg from 'pg';
import type { Flags } from '../config.ts';
import { connect } from '../postgres/connect.ts';
import { PgscoreError } from '../errors.ts';
import { urlOrDemo } from './connection.ts';
import { checkCitus, checkNotify, checkServer } from './doctor/server.ts';
import { fail, ok, type Finding, checkLocale, checkNode, checkOnnxRuntime } from './doctor/machine.ts';
import { checkInstallation, checkOnline, checkLogins, checkRoles } from './doctor/installation.ts';
import { failureOf } from './failure.ts';
import { databaseCommand, invocation, settingOption } from './options.ts';
import { visible } from './output.ts';

const DESCRIPTION = `Checks this machine, the server, the installation and its roles, and says what to run where something is wrong.

Each check is ok, warn or fail. The exit status is 0 unless one fails. Give the passwords of the service to try its two
logins as well.`;

export function addDoctor(program: Command): void {
  databaseCommand(program, 'doctor')
    .summary('check everything that pgscore needs')
    .description(DESCRIPTION)
    .addOption(settingOption('readerUrl'))
    .addOption(settingOption('servicePassword'))
    .addOption(settingOption('readerPassword'))
    .action(async (_options, command: Command) => {
      const { flags, output } = invocation(command);
      const findings = [
        checkNode(),
        ...(await Promise.all([checkOnnxRuntime(), checkLocale()])),
        ...(await checkDatabase(flags)),
      ];
      output.result(findings, () => findingsText(findings));
      refuseFailed(findings);
    });
}

type Check = (client: pg.Client) => Promise<Finding | Finding[]>;

async function checkDatabase(flags: Flags): Promise<Finding[]> {
  const url = await urlOrDemo(flags);
  let client: pg.Client;
  try {
    client = await connect({ url, applicationName: 'pgscore doctor' });
  } catch (error) {
    return [failed('database', error)];
  }
  const checks: [name: string, check: Check][] = [
    ['PostgreSQL', checkServer],
    ['Citus', checkCitus],
    ['NOTIFY', checkNotify],
    ['roles', checkRoles],
    ['installation', checkInstallation],
    ['online', checkOnline],
    ['login', (connected) => checkLogins(connected, flags)],
  ];
  try {
    const findings: Finding[] = [ok('database', `"${client.database ?? ''}" at ${client.host}:${client.port}`)];
    for (const [name, check] of checks) {
      findings.push(...[await check(client).catch((error: unknown) => failed(name, error))].flat());
    }
    return findings;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function failed(check: string, error: unknown): Finding {
  const { message, remedy } = failureOf(error);
  return fail(check, message, remedy ?? 'Correct it, then run pgscore doctor again.');
}

/** A line for each finding, with its remedy beneath. */
export function findingsText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const margin = ' '.repeat('warn  '.length + width + 2);
  return findings
    .map(({ check, status, detail, remedy }) => {
      const line = `${status.padEnd(4)}  ${check.padEnd(width)}  ${visible(detail)}`;
      return remedy === undefined ? line : `${line}\n${margin}${visible(remedy)}`;
    })
    .join('\n');
}

function refuseFailed(findings: readonly Finding[]): void {
  const checks = findings.filter(({ status }) => status === 'fail').map(({ check }) => check);
  if (checks.length === 0) return;
  throw new PgscoreError('doctor_failed', `failed: ${[...new Set(checks)].join(', ')}`, {
    remedy: 'Do what stands beneath each, then run pgscore doctor again.',
  });
}
