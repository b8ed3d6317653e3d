/** The values of a `Headers` object by their names in lower case. */
export type HeaderValues = ReadonlyMap<string, readonly string[]>;

/** `Headers`, and how `fetch` reads one. */
export interface GuestHeaders {
  readonly globals: { readonly Headers: new (init?: unknown) => WebHeaders };
  readonly valuesOf: (headers: WebHeaders) => HeaderValues;
}

/** The part of the web's `Headers` that the guest itself uses. */
export interface WebHeaders {
  append(name: unknown, value: unknown): void;
  set(name: unknown, value: unknown): void;
  has(name: unknown): boolean;
  get(name: unknown): string | null;
}

/**
 * `Headers`. Runs inside the isolate, from its own source text: refers to nothing outside its body.
 */
export function guestHeaders(): GuestHeaders {
  const COOKIES = "set-cookie";
  const nameOf = (value: unknown): string => {
    const name = String(value);
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
      throw new TypeError(`${JSON.stringify(name)} is not a header name`);
    return name.toLowerCase();
  };
  const valueOf = (value: unknown): string => {
    const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
    // oxlint-disable-next-line no-control-regex -- those are what a value cannot have
    if (/[\0\n\r]|[^\u0000-\u00ff]/.test(text))
      throw new TypeError(`${JSON.stringify(text)} is not a header value`);
    return text;
  };
  let valuesOf: GuestHeaders["valuesOf"] = () => new Map();

  class Headers implements WebHeaders {
    readonly #values = new Map<string, string[]>();
    static {
      valuesOf = (headers) => (headers as Headers).#values;
    }
    constructor(init?: unknown) {
      if (init === undefined || init === null) return;
      if (typeof init !== "object") throw new TypeError("headers are made from an object or a list of pairs");
      if (!(Symbol.iterator in init)) {
        for (const [name, value] of Object.entries(init)) this.append(name, value);
        return;
      }
      for (const item of init as Iterable<unknown>) {
        const pair = typeof item === "object" && item !== null ? Array.from(item as Iterable<unknown>) : [];
        if (pair.length !== 2) throw new TypeError("each pair of headers must have a name and a value");
        this.append(pair[0], pair[1]);
      }
    }
    append(name: unknown, value: unknown): void {
      const [key, text] = [nameOf(name), valueOf(value)];
      const values = this.#values.get(key);
      if (values === undefined) this.#values.set(key, [text]);
      else values.push(text);
    }
    delete(name: unknown): void {
      this.#values.delete(nameOf(name));
    }
    get(name: unknown): string | null {
      return this.#values.get(nameOf(name))?.join(", ") ?? null;
    }
    getSetCookie(): string[] {
      return [...(this.#values.get(COOKIES) ?? [])];
    }
    has(name: unknown): boolean {
      return this.#values.has(nameOf(name));
    }
    set(name: unknown, value: unknown): void {
      this.#values.set(nameOf(name), [valueOf(value)]);
    }
    forEach(visit: (value: string, name: string, headers: Headers) => void, receiver?: unknown): void {
      for (const [name, value] of this) Reflect.apply(visit, receiver, [value, name, this]);
    }
    *entries(): IterableIterator<[name: string, value: string]> {
      const names = [...this.#values.keys()].sort();
      for (const name of names) {
        const values = this.#values.get(name) ?? [];
        if (name !== COOKIES) yield [name, values.join(", ")];
        else for (const value of values) yield [name, value];
      }
    }
    *keys(): IterableIterator<string> {
      for (const [name] of this.entries()) yield name;
    }
    *values(): IterableIterator<string> {
      for (const [, value] of this.entries()) yield value;
    }
    [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
      return this.entries();
    }
    get [Symbol.toStringTag](): string {
      return "Headers";
    }
  }
  return { globals: { Headers }, valuesOf };
}
