import type { GuestCompute } from "./guest-compute.ts";
import type { GuestText } from "./guest-text.ts";

/**
 * `URL` and `URLSearchParams`. The host parses URLs, by the URL standard; queries are read and written here. Runs inside
 * the isolate, from its own source text: refers to nothing outside its body.
 */
export function guestUrl(
  compute: GuestCompute,
  { encode, decode }: GuestText,
): Readonly<Record<string, object>> {
  const [HREF, ORIGIN, PROTOCOL, USERNAME, PASSWORD, HOST, HOSTNAME, PORT, PATHNAME, SEARCH, HASH] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
  ] as const;
  type Pair = [name: string, value: string];
  const usv = (value: unknown): string => String(value).toWellFormed();

  const unescapePart = (part: string): string => {
    const spaced = part.replaceAll("+", " ");
    if (!spaced.includes("%")) return spaced;
    try {
      return decodeURIComponent(spaced);
    } catch {
      const bytes = encode(spaced);
      let length = 0;
      for (let at = 0; at < bytes.length; at++) {
        const pair = String.fromCharCode(...bytes.subarray(at + 1, at + 3));
        if (bytes[at] === 0x25 && /^[0-9a-f]{2}$/i.test(pair)) {
          bytes[length++] = parseInt(pair, 16);
          at += 2;
        } else bytes[length++] = bytes[at] ?? 0;
      }
      return decode(bytes.subarray(0, length));
    }
  };
  const escapePart = (part: string): string =>
    encodeURIComponent(part)
      .replace(/[!'()~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
      .replaceAll("%20", "+");

  const readQuery = (text: string): Pair[] => {
    const pairs: Pair[] = [];
    for (const part of text.split("&")) {
      if (part === "") continue;
      const equals = part.indexOf("=");
      const name = equals < 0 ? part : part.slice(0, equals);
      pairs.push([unescapePart(name), equals < 0 ? "" : unescapePart(part.slice(equals + 1))]);
    }
    return pairs;
  };

  const readInit = (init: unknown): Pair[] => {
    if (init === undefined || init === null) return [];
    if (typeof init !== "object" && typeof init !== "function")
      return readQuery(usv(init).replace(/^\?/, ""));
    const list: unknown = (init as { [Symbol.iterator]?: unknown })[Symbol.iterator];
    if (list === undefined || list === null) {
      // Names that become the same text count once, with the last value.
      const record = new Map<string, string>();
      for (const [name, value] of Object.entries(init)) record.set(usv(name), usv(value));
      return [...record];
    }
    return Array.from(init as Iterable<unknown>, (item): Pair => {
      const pair = typeof item === "object" && item !== null ? Array.from(item as Iterable<unknown>) : [];
      if (pair.length !== 2) throw new TypeError("each pair of a query must have a name and a value");
      return [usv(pair[0]), usv(pair[1])];
    });
  };

  /** Tells the URL of a query that it has changed; set when a URL makes its query. */
  let changed: (query: Query, tell: () => void) => void;
  let reread: (query: Query, search: string) => void;

  class Query {
    #pairs: Pair[];
    #tell: (() => void) | undefined;
    static {
      changed = (query, tell) => {
        query.#tell = tell;
      };
      reread = (query, search) => {
        query.#pairs = readQuery(search.replace(/^\?/, ""));
      };
    }
    constructor(init?: unknown) {
      this.#pairs = readInit(init);
    }
    get size(): number {
      return this.#pairs.length;
    }
    append(name: unknown, value: unknown): void {
      this.#pairs.push([usv(name), usv(value)]);
      this.#tell?.();
    }
    delete(name: unknown, value?: unknown): void {
      this.#pairs = this.#pairs.filter((pair) => !this.#matches(pair, name, value));
      this.#tell?.();
    }
    get(name: unknown): string | null {
      return this.#pairs.find((pair) => this.#matches(pair, name))?.[1] ?? null;
    }
    getAll(name: unknown): string[] {
      return this.#pairs.filter((pair) => this.#matches(pair, name)).map(([, value]) => value);
    }
    has(name: unknown, value?: unknown): boolean {
      return this.#pairs.some((pair) => this.#matches(pair, name, value));
    }
    set(name: unknown, value: unknown): void {
      const first = this.#pairs.find((pair) => this.#matches(pair, name));
      if (first === undefined) return this.append(name, value);
      first[1] = usv(value);
      this.#pairs = this.#pairs.filter((pair) => pair === first || !this.#matches(pair, name));
      this.#tell?.();
    }
    sort(): void {
      this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      this.#tell?.();
    }
    forEach(visit: (value: string, name: string, query: Query) => void, receiver?: unknown): void {
      for (const [name, value] of this) Reflect.apply(visit, receiver, [value, name, this]);
    }
    *entries(): IterableIterator<Pair> {
      for (let index = 0; index < this.#pairs.length; index++) {
        const [name, value] = this.#pairs[index] ?? ["", ""];
        yield [name, value];
      }
    }
    *keys(): IterableIterator<string> {
      for (const [name] of this.entries()) yield name;
    }
    *values(): IterableIterator<string> {
      for (const [, value] of this.entries()) yield value;
    }
    [Symbol.iterator](): IterableIterator<Pair> {
      return this.entries();
    }
    toString(): string {
      return this.#pairs.map(([name, value]) => `${escapePart(name)}=${escapePart(value)}`).join("&");
    }
    get [Symbol.toStringTag](): string {
      return "URLSearchParams";
    }
    #matches(pair: Pair, name: unknown, value?: unknown): boolean {
      return pair[0] === usv(name) && (value === undefined || pair[1] === usv(value));
    }
  }

  const parse = (input: unknown, base: unknown): readonly string[] | undefined =>
    compute("url", usv(input), base === undefined ? undefined : usv(base))?.split("\n");
  const invalid = (input: unknown): TypeError =>
    Object.assign(new TypeError(`Invalid URL: ${JSON.stringify(usv(input))}`), { code: "ERR_INVALID_URL" });

  class WebUrl {
    #parts: readonly string[];
    #query: Query | undefined;
    constructor(input: unknown, base?: unknown) {
      const parts = parse(input, base);
      if (parts === undefined) throw invalid(input);
      this.#parts = parts;
    }
    static canParse(input: unknown, base?: unknown): boolean {
      return parse(input, base) !== undefined;
    }
    static parse(input: unknown, base?: unknown): WebUrl | null {
      return parse(input, base) === undefined ? null : new WebUrl(input, base);
    }
    get href(): string {
      return this.#parts[HREF] ?? "";
    }
    set href(value: unknown) {
      const parts = parse(value, undefined);
      if (parts === undefined) throw invalid(value);
      this.#parts = parts;
      if (this.#query !== undefined) reread(this.#query, this.search);
    }
    get origin(): string {
      return this.#parts[ORIGIN] ?? "";
    }
    get protocol(): string {
      return this.#parts[PROTOCOL] ?? "";
    }
    set protocol(value: unknown) {
      this.#set("protocol", value);
    }
    get username(): string {
      return this.#parts[USERNAME] ?? "";
    }
    set username(value: unknown) {
      this.#set("username", value);
    }
    get password(): string {
      return this.#parts[PASSWORD] ?? "";
    }
    set password(value: unknown) {
      this.#set("password", value);
    }
    get host(): string {
      return this.#parts[HOST] ?? "";
    }
    set host(value: unknown) {
      this.#set("host", value);
    }
    get hostname(): string {
      return this.#parts[HOSTNAME] ?? "";
    }
    set hostname(value: unknown) {
      this.#set("hostname", value);
    }
    get port(): string {
      return this.#parts[PORT] ?? "";
    }
    set port(value: unknown) {
      this.#set("port", value);
    }
    get pathname(): string {
      return this.#parts[PATHNAME] ?? "";
    }
    set pathname(value: unknown) {
      this.#set("pathname", value);
    }
    get search(): string {
      return this.#parts[SEARCH] ?? "";
    }
    set search(value: unknown) {
      this.#set("search", value);
      if (this.#query !== undefined) reread(this.#query, this.search);
    }
    get hash(): string {
      return this.#parts[HASH] ?? "";
    }
    set hash(value: unknown) {
      this.#set("hash", value);
    }
    get searchParams(): Query {
      if (this.#query === undefined) {
        const query = new Query(this.search);
        changed(query, () => this.#set("search", query.toString()));
        this.#query = query;
      }
      return this.#query;
    }
    toString(): string {
      return this.href;
    }
    toJSON(): string {
      return this.href;
    }
    get [Symbol.toStringTag](): string {
      return "URL";
    }
    #set(part: string, value: unknown): void {
      this.#parts = compute("url-with", this.href, `${part}\n${usv(value)}`)?.split("\n") ?? this.#parts;
    }
  }
  return { URL: WebUrl, URLSearchParams: Query };
}
