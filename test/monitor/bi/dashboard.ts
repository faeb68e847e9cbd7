import { readFileSync } from 'node:fs';

export const FOLDER = new URL('../../../docker/grafana/', import.meta.url);

type Datasource = { type: string; uid: string };
export type Query = { refId: string; datasource: Datasource; rawSql: string; format: string; rawQuery: boolean };
type Override = {
  matcher: { id: string; options: string };
  properties: { id: string; value: unknown }[];
};
export type Panel = {
  id: number;
  type: string;
  title: string;
  description?: string;
  datasource?: Datasource;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig?: { defaults: object; overrides: Override[] };
  targets?: Query[];
};
type Variable = { name: string; type: string; query: string; datasource?: Datasource; multi: boolean };
export type Dashboard = {
  uid: string;
  title: string;
  schemaVersion: number;
  panels: Panel[];
  annotations: { list: { name: string; datasource: Datasource; target?: Query }[] };
  templating: { list: Variable[] };
};

export function readDashboard(): Dashboard {
  return JSON.parse(readFileSync(new URL('dashboards/models.json', FOLDER), 'utf8')) as Dashboard;
}

export type Values = Readonly<Record<string, string>>;
export type Range = { readonly from: Date; readonly to: Date };

/** The statement that Grafana sends: its page fills in the variables, in one pass; then its server the macros. */
export function asGrafana(sql: string, values: Values, range: Range): string {
  return expandMacros(fillVariables(sql, values), range);
}

/** ${name:sqlstring} is a quoted literal; a bare $name has its quotes doubled, and none around it. */
function fillVariables(sql: string, values: Values): string {
  return sql.replaceAll(/\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g, (whole, braced?: string, format?: string, bare?: string) => {
    const value = values[braced ?? bare ?? ''];
    if (value === undefined) return whole;
    const doubled = value.replaceAll("'", "''");
    if (format === undefined) return doubled;
    if (format !== 'sqlstring') throw new Error(`the format ${format} does not quote as SQL does`);
    return `'${doubled}'`;
  });
}

/** Anything that looks like a macro is one, within literals too; its arguments end at the first parenthesis. */
function expandMacros(sql: string, range: Range): string {
  const [from, to] = [`'${range.from.toISOString()}'`, `'${range.to.toISOString()}'`];
  return sql.replaceAll(/\$([_a-zA-Z0-9]+)\(([^)]*)\)/g, (_, name: string, args: string) => {
    const [first = ''] = args.split(',').map((arg) => arg.replaceAll(/^ +| +$/g, ''));
    if (name === '__timeFilter') return `${first} BETWEEN ${from} AND ${to}`;
    if (name === '__timeFrom') return from;
    if (name === '__timeTo') return to;
    if (name === '__time') return `${first} AS "time"`;
    throw new Error(`unknown macro "${name}"`);
  });
}
