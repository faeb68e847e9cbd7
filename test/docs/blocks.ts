/** A block of SQL in a page, and what the page says of it in the HTML comments before it. */
export type Block = {
  readonly page: string;
  /** The line of the page on which its first statement is. */
  readonly line: number;
  readonly sql: string;
  /** Why no test runs it. */
  readonly notRun: string | undefined;
  /** It takes a superuser, as an administrator's statements do. */
  readonly asSuperuser: boolean;
  /** The page shows an error, which it ends with. */
  readonly fails: boolean;
  /** The shown output holds times, speeds or numbers of runs. */
  readonly varies: boolean;
  /** What the page shows below it. */
  readonly shown: string | undefined;
};

const BLOCK =
  /(?<marks>(?:^<!--(?:(?!-->)[^])*-->\n)*)^```sql\n(?<sql>(?:(?!^```$)[^])*)^```\n(?:\n?^```\n(?<shown>(?:(?!^```$)[^])*)^```$)?/gm;

const FENCE = '```';

/** The blocks of SQL of a page, in their order. */
export function blocksOf(page: string, text: string): Block[] {
  return [...text.matchAll(BLOCK)].map(({ index, groups = {} }) => blockOf(page, text, index, groups));
}

function blockOf(page: string, text: string, index: number, groups: Record<string, string | undefined>): Block {
  const { marks = '', sql = '', shown } = groups;
  return {
    page,
    line: text.slice(0, index + marks.length).split('\n').length + 1,
    sql,
    notRun: /<!-- not run: ([^]*?) -->/.exec(marks)?.[1],
    asSuperuser: marks.includes('<!-- as a superuser -->'),
    fails: marks.includes('<!-- fails -->'),
    varies: marks.includes('<!-- output varies -->'),
    shown,
  };
}

/** The page with what each block gave, where it shows something that does not vary. */
export function withOutputs(text: string, outputs: ReadonlyMap<string, string>): string {
  return text.replaceAll(BLOCK, (whole, _marks: string, sql: string, shown: string | undefined) => {
    const output = outputs.get(sql);
    if (output === undefined || shown === undefined) return whole;
    return `${whole.slice(0, whole.length - shown.length - FENCE.length)}${output}\n${FENCE}`;
  });
}

/** The cells of a table, or the words of a text, whatever the space between them. */
export function cellsOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => !/^[-+\s]*$/.test(line))
    .flatMap((line) => line.split('|').map((cell) => cell.trim().replaceAll(/\s+/g, ' ')));
}
