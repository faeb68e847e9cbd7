import type { Command } from 'commander';
import type { Argument } from '../client/connection.ts';
import { sourceArguments, type SourceOptions } from '../client/runs.ts';
import { addSourceOptions, commandGroup, countOption, databaseCommand } from './options.ts';
import { printCall, printRows } from './print.ts';

const DESCRIPTION = `Scores sources again and again, with your rights at each time.`;

const ADD_DESCRIPTION = `Scores a source again and again. The source and a bare model name are looked up anew each time.

CRON has five fields: minute, hour, day of month, month, day of week; or is @hourly, @daily, @weekly, @monthly or
@yearly. It is read in the time zone: a local time that a clock change leaves out fires at the change, one that comes twice fires once.`;

type AddOptions = SourceOptions & { timeZone?: string; overlap?: string; catchUp?: string };

export function addSchedule(program: Command): void {
  const summary = 'score again and again: list, add, pause, resume, run, drop, history';
  const schedule = commandGroup(program, 'schedule', summary, DESCRIPTION);
  addList(schedule);
  addAdd(schedule);
  addControls(schedule);
  addHistory(schedule);
}

function addList(schedule: Command): void {
  databaseCommand(schedule, 'list')
    .summary('list your schedules')
    .description('Lists your schedules, with what became of the last fire.')
    .action((_options, command: Command) =>
      printRows(command, {
        text: `select name, owner, cron, time_zone, model, source, target, state, next_fire_at, last_fire_at, last_outcome, last_run, last_error
          from pgscore.schedules order by name, owner`,
        nothing: 'No schedules yet: pgscore schedule add NAME CRON MODEL SOURCE',
      }),
    );
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
    .action((name: string, cron: string, model: string, source: string, options: AddOptions) => {
      const args = [...scheduleArguments(name, cron, options), ...sourceArguments(model, source, options)];
      return printCall(command, 'pgscore.schedule', args, () => [
        { name },
        `Schedule "${name}" is set: pgscore schedule list shows when it fires next, once a service has planned it.`,
      ]);
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

type Control = {
  subcommand: string;
  called: string;
  summary: string;
  message: (name: string, value: unknown) => string;
};

const CONTROLS: readonly Control[] = [
  {
    subcommand: 'pause',
    called: 'pgscore.pause_schedule',
    summary: 'stop a schedule from firing; times in between are not caught up',
    message: (name) => `Schedule "${name}" is paused.`,
  },
  {
    subcommand: 'resume',
    called: 'pgscore.resume_schedule',
    summary: 'let a paused schedule fire again from now on',
    message: (name) => `Schedule "${name}" is active.`,
  },
  {
    subcommand: 'run',
    called: 'pgscore.run_schedule',
    summary: 'fire a schedule now',
    message: (name, run) =>
      run === null ? `The last run of "${name}" still goes on.` : `Run ${Number(run)} is queued.`,
  },
  {
    subcommand: 'drop',
    called: 'pgscore.unschedule',
    summary: 'drop a schedule and its history; its runs stay',
    message: (name) => `Schedule "${name}" is dropped.`,
  },
];

function addControls(schedule: Command): void {
  for (const { subcommand, called, summary, message } of CONTROLS) {
    databaseCommand(schedule, subcommand)
      .summary(summary)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
      .argument('<name>', 'name of the schedule')
      .action((name: string, _options, command: Command) =>
        printCall(command, called, [['name', 'text', name]], (value) => [
          { name, ...(subcommand === 'run' ? { run: value } : {}) },
          message(name, value),
        ]),
      );
  }
}

function addHistory(schedule: Command): void {
  databaseCommand(schedule, 'history')
    .summary('show what became of each fire time')
    .description('Shows what became of each fire time: submitted, skipped, missed or failed; newest first.')
    .argument('[name]', 'name of a schedule (default: all of yours)')
    .addOption(countOption('--limit <n>', 'most rows to show').default(50))
    .action((name: string | undefined, { limit }: { limit: number }, command: Command) =>
      printRows(command, {
        text: `select * from pgscore.schedule_history
          where $1::text is null or name = $1 or owner || '.' || name = $1 order by fire_at desc limit $2`,
        values: [name ?? null, limit],
        schedule: name,
        nothing: 'Nothing has fired yet.',
      }),
    );
}
