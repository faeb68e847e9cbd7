import type pg from 'pg';
import type { Question } from './describe.ts';
import type { Input } from './inputs.ts';
import type { Variables } from './variables.ts';

/** What a command of the shell, such as `\dt`, may do. */
export type ShellActions = {
  readonly client: pg.Client;
  readonly variables: Variables;
  print(text: string): void;
  /** A text with the variables in their places. */
  filled(text: string): string;
  /** Prints the answer of the catalogue. */
  show(question: Question): Promise<void>;
  run(input: Input): Promise<void>;
  toggle(what: 'expanded' | 'timing'): void;
  leave(): void;
};
