import { Command, Help } from 'commander';
import type { Option } from 'commander';
import { VERSION } from '../version.ts';
import { addAdopt } from './adopt.ts';
import { addAlerts } from './alerts.ts';
import { addAudit, addVersionCommands } from './versions.ts';
import { addCancel, addRuns } from './runs.ts';
import { addDemo } from './demo.ts';
import { addDeploy } from './deploy.ts';
import { addDoctor } from './doctor.ts';
import { addExperiment } from './experiment.ts';
import { addGates } from './gates.ts';
import { addMigrate } from './migrate.ts';
import { addModels } from './models.ts';
import { addSchedule } from './schedule.ts';
import { addReplay } from './replay.ts';
import { addScore } from './score.ts';
import { addServe } from './serve.ts';
import { addSql } from './sql.ts';
import { addUninstall } from './uninstall.ts';
import { addWatchCommands } from './watch.ts';

const DESCRIPTION = `A scoring engine for ONNX models that lives in a PostgreSQL database.

Begin with pgscore demo, or with a database of your own: pgscore migrate, then pgscore serve. An option that names an
environment variable in parentheses can be given by it instead.`;

type Group = readonly [heading: string, commands: readonly ((program: Command) => void)[]];

const GROUPS: readonly Group[] = [
  ['Begin:', [addDemo, addMigrate, addServe]],
  ['Models:', [addDeploy, addModels, addVersionCommands, addGates, addExperiment, addAudit]],
  ['Scoring:', [addScore, addReplay, addRuns, addCancel, addSchedule, addWatchCommands]],
  ['Care:', [addAlerts, addSql, addDoctor, addAdopt, addUninstall]],
];

/** The whole command line. It raises what is wrong instead of printing it and leaving. */
export function buildProgram(): Command {
  const program = new Command('pgscore')
    .description(DESCRIPTION)
    .version(VERSION, '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ commandDescription: (command) => unwrapped(command.description()), visibleOptions })
    .configureOutput({ outputError: () => undefined });
  for (const [heading, commands] of GROUPS) {
    program.commandsGroup(heading);
    for (const add of commands) add(program);
  }
  return program;
}

/** Descriptions are wrapped for the source; the help wraps them for the terminal. */
function unwrapped(text: string): string {
  return text
    .split('\n\n')
    .map((paragraph) => paragraph.replaceAll('\n', ' '))
    .join('\n\n');
}

const COMMON = ['--database-url', '--json', '--help'];

/** What is special to a command comes first. */
function visibleOptions(command: Command): Option[] {
  const rank = ({ long }: Option): number => COMMON.indexOf(long ?? '');
  return new Help().visibleOptions(command).toSorted((one, other) => rank(one) - rank(other));
}
