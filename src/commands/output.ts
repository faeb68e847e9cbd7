/** Where a command says things. The result goes to standard output, everything else to standard error. */
export type Output = {
  /** Whether a program reads the result. */
  readonly json: boolean;
  /** Whether a person watches, so that a line may be drawn over. */
  readonly terminal: boolean;
  /** The one result of a command: as one JSON document, or as text for people. */
  result(value: unknown, text: () => string): void;
  /** Something to know on the way to the result; people see it, programs do not. */
  note(line: string): void;
  /** Writes to the terminal where it stands, without a line break. */
  draw(text: string): void;
};

export type Streams = { readonly stdout: NodeJS.WriteStream; readonly stderr: NodeJS.WriteStream };

/** Output to the streams of a process. */
export function outputTo({ stdout, stderr }: Streams, json: boolean): Output {
  return {
    json,
    terminal: !json && stderr.isTTY === true,
    result: (value, text) => void stdout.write(`${json ? JSON.stringify(value, replacer) : text()}\n`),
    draw: (text) => void stderr.write(text),
    note: (line) => void (json || stderr.write(`${line}\n`)),
  };
}

function replacer(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
