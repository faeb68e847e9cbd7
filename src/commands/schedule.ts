import type { Command } from 'commander';
import { sql } from 'kysely';
import type pg from 'pg';
import { callFunction, type Argument } from '../client/connection.ts';
import { sourceArguments, type SourceOptions } from '../client/runs.ts';
import { catalog, rowsOf } from '../postgres/catalog.ts';
import { databaseCommand, invocation, numberOption, addSourceOptions } from './options.ts';
import { tableOf } from './output.ts';
import { inDatabase, inPersonsDatabase } from './connection.ts';

const DESCRIPTION = `Scores sources again and again, with your rights at each time.`;

const ADD_DESCRIPTION = `Scores a source again and again. The source and a bare model name are looked up anew each time.

CRON has five fields: minute, hour, day of month, month, day of week; or is @hourly, @daily, @weekly, @monthly or
@yearly. It is read in the time zone: a local time that a clock change leaves out fires at the change, one that comes twice fires once.`;

type AddOptions = SourceOptions & { timeZone?: string; overlap?: string; catchUp?: string };

export function addSchedule(program: Command): void {
  const schedule = program
    .command('schedule')
    .helpCommand(false)
    .helpOption('--help', 'print this help')
    .summary('score again and again: list, add, pause, resume, run, drop, history')
    .description(DESCRIPTION);
  addList(schedule);
  addAdd(schedule);
  addControls(schedule);
  addHistory(schedule);
}

function addList(schedule: Command): void {
  databaseCommand(schedule, 'list')
    .summary('list your schedules')
    .description('Lists your schedules, with what became of the last fire.')
    .action(async (_options, command: Command) => {
      const { flags, output } = invocation(command);
      const schedules = await inDatabase(flags, listSchedules);
      output.result(schedules, () =>
        tableOf(schedules, 'No schedules yet: pgscore schedule add NAME CRON MODEL SOURCE'),
      );
    });
}

function listSchedules(client: pg.Client) {
  const columns = [
    'name',
    'cron',
    'time_zone',
    'model',
    'source',
    'target',
    'state',
    'next_fire_at',
    'last_fire_at',
    'last_outcome',
    'last_run',
    'last_error',
  ] as const;
  return rowsOf(client, catalog.selectFrom('pgscore.schedules').select(columns).orderBy('name'));
}

function addAdd(schedule: Command): void {
  const command = databaseCommand(schedule, 'add')
    .summary('score a source again and again')
    .description(ADD_DESCRIPTION)
    .argument('<name>', 'name of the schedule')
    .argument('<cron>', "such as '0 2 * * *' for two o'clock every night")
    .argument('<model>', 'churn (its champion at that time), churn@3 or churn@challenger')
    .argument('<source>', 'table or view');
  addSourceOptions(command)
    .option('--time-zone <zone>', 'such as Europe/Berlin (default: that of the session)')
    .option('--overlap <rule>', 'skip or queue: while the last run still goes on (default: skip)')
    .option('--catch-up <rule>', 'latest, all or skip: fires missed while no service ran (default: latest)')
    .action(async (name: string, cron: string, model: string, source: string, options: AddOptions) => {
      const { flags, output } = invocation(command);
      const args = [...scheduleArguments(name, cron, options), ...sourceArguments(model, source, options)];
      await inPersonsDatabase(flags, (client) => callFunction(client, 'pgscore.schedule', args));
      output.result({ name }, () => `Schedule "${name}" is set: pgscore schedule list shows when it fires next.`);
    });
}

function scheduleArguments(name: string, cron: string, options: AddOptions): Argument[] {
  return [
    ['name', 'text', name],
    ['cron', 'text', cron],
    ['time_zone', 'text', options.timeZone],
    ['overlap', 'text', options.overlap],
    ['catch_up', 'text', options.catchUp],
  ];
}

type Control = { verb: string; called: string; summary: string; told: (name: string, value: unknown) => string };

const CONTROLS: readonly Control[] = [
  {
    verb: 'pause',
    called: 'pgscore.pause_schedule',
    summary: 'stop a schedule from firing; times in between are not caught up',
    told: (name) => `Schedule "${name}" is paused.`,
  },
  {
    verb: 'resume',
    called: 'pgscore.resume_schedule',
    summary: 'let a paused schedule fire again from now on',
    told: (name) => `Schedule "${name}" is active.`,
  },
  {
    verb: 'run',
    called: 'pgscore.run_schedule',
    summary: 'fire a schedule now',
    told: (name, run) => (run === null ? `The last run of "${name}" still goes on.` : `Run ${Number(run)} is queued.`),
  },
  {
    verb: 'drop',
    called: 'pgscore.unschedule',
    summary: 'drop a schedule and its history; its runs stay',
    told: (name) => `Schedule "${name}" is dropped.`,
  },
];

function addControls(schedule: Command): void {
  for (const { verb, called, summary, told } of CONTROLS) {
    databaseCommand(schedule, verb)
      .summary(summary)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
      .argument('<name>', 'name of the schedule')
      .action(async (name: string, _options, command: Command) => {
        const { flags, output } = invocation(command);
        const value = await inDatabase(flags, (client) => callFunction(client, called, [['name', 'text', name]]));
        output.result({ name, ...(verb === 'run' ? { run: value } : {}) }, () => told(name, value));
      });
  }
}

function addHistory(schedule: Command): void {
  databaseCommand(schedule, 'history')
    .summary('show what became of each fire time')
    .description('Shows what became of each fire time: submitted, skipped, missed or failed; newest first.')
    .argument('[name]', 'name of a schedule (default: all of yours)')
    .option('--limit <n>', 'most rows to show', numberOption('--limit'), 50)
    .action(async (name: string | undefined, options: { limit: number }, command: Command) => {
      const { flags, output } = invocation(command);
      const fires = await inDatabase(flags, (client) => listFires(client, name, options.limit));
      output.result(fires, () => tableOf(fires, 'Nothing has fired yet.'));
    });
}

function listFires(client: pg.Client, name: string | undefined, limit: number) {
  const fires = catalog.selectFrom('pgscore.schedule_history').selectAll().orderBy('fire_at', 'desc').limit(limit);
  return rowsOf(
    client,
    name === undefined
      ? fires
      : fires.where((eb) => eb.or([eb('name', '=', name), eb(sql<string>`owner || '.' || name`, '=', name)])),
  );
}
