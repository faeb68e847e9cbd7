import { readFile } from 'node:fs/promises';

import type { OrdinaryRole } from '../support/ordinary-roles.ts';

/** What one role does before another goes on. */
export type Scene = { readonly role: OrdinaryRole; readonly text: string };

/** One line of psql: a statement, with \gset where its columns become variables, or the import of a file. */
export type Line =
  | { readonly kind: 'statement'; readonly text: string; readonly gset: boolean }
  | { readonly kind: 'import'; readonly file: string };

/** The script by roles: a line "-- as NAME" begins a scene. */
export async function readScenes(): Promise<Scene[]> {
  const script = await readFile(new URL('flights.sql', import.meta.url), 'utf8');
  return script
    .split(/^-- as /m)
    .slice(1)
    .map((part) => {
      const [role = '', ...lines] = part.split('\n');
      return { role: role as OrdinaryRole, text: lines.join('\n') };
    });
}

/** The lines of a scene; in this script a statement is one line. */
export function linesOf({ text }: Scene): Line[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('--'));
  return lines.map((line) => {
    const file = /^\\lo_import (.+)$/.exec(line)?.[1];
    if (file !== undefined) return { kind: 'import', file };
    return { kind: 'statement', text: line.replace(/ \\gset$/, ''), gset: line.endsWith('\\gset') };
  });
}
