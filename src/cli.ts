#!/usr/bin/env node
import { CommanderError } from 'commander';
import { failureJson, failureOf, failureText } from './commands/failure.ts';
import { buildProgram } from './commands/program.ts';
import { ERRORS, PgscoreError } from './errors.ts';

/** Commander has printed the help or the version by then. */
const HELPED = ['commander.help', 'commander.helpDisplayed', 'commander.version'];
const USAGE = ERRORS.usage.exit;

const args = process.argv.slice(2);

// A reader that has seen enough, such as head, closes the pipe.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

// Nobody reads the notes any more; what they are about goes on.
process.stderr.on('error', () => undefined);

try {
  await buildProgram().parseAsync(args, { from: 'user' });
} catch (error) {
  if (error instanceof CommanderError && HELPED.includes(error.code)) process.exitCode = error.exitCode && USAGE;
  else report(error);
}

function report(error: unknown): never {
  const failure = failureOf(error instanceof CommanderError ? usageError(error) : error);
  process.stderr.write(`${args.includes('--json') ? failureJson(failure) : failureText(failure)}\n`);
  // What a failed command left open, such as a half-started service, must not keep the process.
  process.exit(failure.exit);
}

function usageError(error: CommanderError): PgscoreError {
  if (error.code === 'commander.help')
    return new PgscoreError('usage', 'no command', { remedy: 'Run pgscore --help.' });
  const [message = '', ...suggestions] = error.message.replace(/^error: /, '').split('\n');
  return new PgscoreError('usage', message, {
    remedy: suggestions.join(' ').replaceAll(/[()]/g, '') || 'Add --help to see what the command takes.',
  });
}
