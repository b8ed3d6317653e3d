/** Where bytes of text go: `process.stdout`, or a string in tests. */
export interface TextStream {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** What a command prints. Results go to stdout; with `--json` nothing else does. */
export interface Output {
  /** Part of a result: one or more lines, a newline is added. */
  readonly line: (text: string) => void;
  /** Part of a result as it is. */
  readonly raw: (data: string | Uint8Array) => void;
  /** A result as indented JSON. */
  readonly json: (value: unknown) => void;
  /** One of many results as a line of JSON. */
  readonly jsonLine: (value: unknown) => void;
  /** Something worth saying beside the result, on stderr. */
  readonly note: (text: string) => void;
  /** Columns of the terminal that stdout is; undefined for a pipe or a file, where nothing is shortened. */
  readonly columns: number | undefined;
  /** stderr, for progress on a terminal. */
  readonly stderr: TextStream;
}

/** The output of a command over its two streams. */
export function createOutput(stdout: TextStream, stderr: TextStream): Output {
  return {
    line: (text) => void stdout.write(`${text}\n`),
    raw: (data) => void stdout.write(data),
    json: (value) => void stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    jsonLine: (value) => void stdout.write(`${JSON.stringify(value)}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    get columns() {
      // A terminal that does not know its size says 0.
      return stdout.isTTY === true ? stdout.columns || undefined : undefined;
    },
    stderr,
  };
}
