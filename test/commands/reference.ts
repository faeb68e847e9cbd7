import type { Command } from 'commander';

import { buildProgram } from '../../src/commands/program.ts';
import { ERRORS } from '../../src/errors.ts';

const INTRODUCTION = `# The command line

\`\`\`sh
pgscore runs --json
\`\`\`

<!-- Written by \`npm run renew -- test/commands/reference.test.ts\` from the commands and the table of errors. -->

Results go to standard output, everything else to standard error. With \`--json\` the result is one JSON document, and an
error is one JSON object, \`{"error": {"code", "message", "detail", "remedy", "sqlstate", "exit"}}\`. Options that
name an environment variable can be given by it instead: [configuration](configuration.md) lists them.`;

/** The reference page: the exit statuses, then the help of every command. */
export function reference(): string {
  const program = buildProgram();
  const commands = leaves(program).map((command) => section(command));
  return [INTRODUCTION, exits(), section(program), ...commands].join('\n\n') + '\n';
}

function leaves(command: Command): Command[] {
  return command.commands.flatMap((child) => (child.commands.length > 0 ? [child, ...leaves(child)] : [child]));
}

function section(command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 100 }).outputHelp();
  return `## ${nameOf(command)}\n\n\`\`\`text\n${help.trim()}\n\`\`\``;
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function exits(): string {
  const entries = Object.entries(ERRORS);
  const statuses = [...new Set(entries.map(([, { exit }]) => exit))].toSorted((one, other) => one - other);
  const rows = statuses.map((status) => {
    const codes = entries.flatMap(([code, { exit }]) => (exit === status ? [`\`${code}\``] : []));
    return `| ${status} | ${codes.join(', ')} |`;
  });
  const head = '| status | codes |\n|---|---|\n| 0 | none: it is done |';
  const intro =
    '[The errors](errors.md) says what each code means. What a function of SQL refuses ends a command with `statement_failed` and 1,\n' +
    'whatever it is about. Its SQLSTATE tells more. 65 and 77 are for what the service found: in a model, or while a run went on.';
  return `## Exit statuses\n\n${intro}\n\n${head}\n${rows.join('\n')}`;
}
