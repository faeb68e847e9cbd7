import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import { failureOf, failureText } from '../failure.ts';
import { readHistory, writeHistory } from './history.ts';
import { takeInputs } from './inputs.ts';
import type { Shell } from './shell.ts';

/** Asks for lines until `\q` or Ctrl-D, and runs what is complete. Ctrl-C cancels a statement, or forgets the line. */
export async function converse(shell: Shell, cancel: () => Promise<void>): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stdout, history: await readHistory() });
  let history: string[] = [];
  lines.on('history', (all: string[]) => (history = all));
  let running = false;
  let pending = '';
  const ask = (): void => {
    lines.setPrompt(promptOf(shell, pending));
    lines.prompt();
  };
  lines.on('SIGINT', () => {
    if (running) void cancel().catch(() => undefined);
    else {
      pending = '';
      forgetLine(lines);
      ask();
    }
  });
  ask();
  for await (const line of lines) {
    const { inputs, rest } = takeInputs(`${pending}${line}\n`);
    pending = rest;
    running = true;
    for (const input of inputs) await shell.run(input).catch((error: unknown) => tell(error));
    running = false;
    if (shell.left) break;
    ask();
  }
  lines.close();
  await writeHistory(history);
}

function promptOf({ client }: Shell, pending: string): string {
  const state = { I: '', T: '*', E: '!' }[client.getTransactionStatus() ?? 'I'];
  return `${client.database ?? ''}${pending === '' ? '=' : '-'}${state}> `;
}

function forgetLine(lines: Interface): void {
  process.stdout.write('\n');
  lines.write(null, { ctrl: true, name: 'e' });
  lines.write(null, { ctrl: true, name: 'u' });
}

function tell(error: unknown): void {
  process.stdout.write(`${failureText(failureOf(error))}\n`);
}
