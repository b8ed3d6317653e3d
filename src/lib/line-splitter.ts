/** Longest line that is handed on in one piece, in characters; a longer one is cut into several. */
export const MAX_LINE = 16_384;

/**
 * Cuts a stream of text chunks into lines, without their line ends. Memory is bounded: an endless line is handed on
 * in pieces.
 */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Takes the next chunk; calls back for each line that is complete. */
  push(chunk: Uint8Array): void {
    this.#take(this.#decoder.decode(chunk, { stream: true }));
  }

  /** Hands on what is left, a last line without line end, and starts anew. */
  end(): void {
    this.#take(this.#decoder.decode());
    if (this.#rest !== "") this.#onLine(this.#rest);
    this.#rest = "";
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#emit(line.endsWith("\r") ? line.slice(0, -1) : line);
    while (this.#rest.length > MAX_LINE) {
      this.#onLine(this.#rest.slice(0, MAX_LINE));
      this.#rest = this.#rest.slice(MAX_LINE);
    }
  }

  #emit(line: string): void {
    for (let start = 0; start === 0 || start < line.length; start += MAX_LINE) {
      this.#onLine(line.slice(start, start + MAX_LINE));
    }
  }
}
