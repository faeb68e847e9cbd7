import type { PageQuery, ParameterKind } from './page-queries.ts';

const MOST_TEXT = 200;

const FORMS: Readonly<Record<ParameterKind, RegExp>> = {
  text: new RegExp(`^[^\\0]{1,${MOST_TEXT}}$`, 'su'),
  version: /^\d{1,9}$/,
  versions: /^\d{1,9}(?:,\d{1,9}){0,5}$/,
  date: /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/,
};

/** The values of a query in their order, as a request gives them; undefined where one is missing or is not of its kind. */
export function parametersOf(query: PageQuery, given: unknown): string[] | undefined {
  const values = new Map(Object.entries(typeof given === 'object' && given !== null ? given : {}));
  const found = query.parameters.map(([name, kind]) => {
    const value: unknown = values.get(name);
    if (typeof value !== 'string' || !FORMS[kind].test(value)) return undefined;
    return kind === 'versions' ? `{${value}}` : value;
  });
  return found.every((value) => value !== undefined) ? found : undefined;
}
