/**
 * One host service call out of the isolate, waiting for its answer: `undefined`, `=` and text, `!` and the text of
 * an error, bytes, or a list of bytes.
 */
export type GuestServiceCall = (
  service: string,
  method: string,
  target: string,
  body: string | Uint8Array | undefined,
) => unknown;

/** A group of synchronous methods as a function calls them. */
type GuestService = Readonly<Record<string, (...values: unknown[]) => unknown>>;

/** `hostServices` as a function sees it. */
export interface GuestHostServices {
  readonly http: GuestService;
  readonly kv: GuestService;
  readonly objectStore: GuestService;
  readonly messaging: GuestService;
}

/**
 * Builds `hostServices`. Runs inside the isolate, from its own source text: refers to nothing outside its body, and
 * takes what it calls before the function's code runs.
 */
export function guestHostServices(call: GuestServiceCall): GuestHostServices {
  const { parse } = JSON;
  const { apply, getOwnPropertyDescriptor, getPrototypeOf, defineProperty, ownKeys } = Reflect;
  const { freeze } = Object;
  const { isArray } = Array;
  const slice: () => string = Reflect.get(String.prototype, "slice");
  const Bytes = Uint8Array;
  const ErrorOf = Error;
  const text = String;
  const viewType = getOwnPropertyDescriptor(
    getPrototypeOf(Uint8Array.prototype) as object,
    Symbol.toStringTag,
  )?.get;

  /** An error whose JSON is its text: functions return caught errors as results. */
  const failure = (message: string, json: string): Error => {
    const error = new ErrorOf(message);
    defineProperty(error, "toJSON", { __proto__: null, value: () => json } as PropertyDescriptor);
    return error;
  };

  const bodyOf = (value: unknown): string | Uint8Array => {
    if (typeof value === "string") return value;
    if (viewType !== undefined && apply(viewType, value, []) === "Uint8Array")
      return new Bytes(value as Uint8Array);
    const message = `failed to marshal v8 value to []byte: ${text(value)}; only Uint8[] is supported`;
    throw failure(message, message);
  };

  const request = (service: string, method: string, target: unknown, body?: string | Uint8Array): unknown => {
    const reply = call(service, method, text(target), body);
    if (typeof reply !== "string") return reply;
    const rest = apply<unknown, unknown[], string>(slice, reply, [1]);
    if (reply[0] !== "!") return parse(rest);
    throw failure(rest, service === "http" ? rest : `Error: ${rest}`);
  };

  /** The named arguments must all be there, and nothing else. */
  const expect = (values: readonly unknown[], count: number, message: string): void => {
    if (values.length !== count) throw failure(message, message);
  };

  const http =
    (method: string) =>
    (...values: unknown[]): unknown => {
      if (values.length === 0) throw failure("url is required", "url is required");
      const body = values[1] === undefined || values[1] === null ? undefined : bodyOf(values[1]);
      const answer = request("http", method, values[0], body) as {
        status: number;
        headers?: Record<string, unknown> | null;
        body?: string | null;
      };
      const headers: Record<string, string> = {};
      const received = answer.headers ?? {};
      const names = ownKeys(received);
      for (let index = 0; index < names.length; index++) {
        const name = names[index] as string;
        defineProperty(headers, name, {
          __proto__: null,
          value: joined(received[name]),
          enumerable: true,
          configurable: true,
          writable: true,
        } as PropertyDescriptor);
      }
      return { status: answer.status, headers, response: answer.body ?? "" };
    };

  const joined = (value: unknown): string => {
    if (!isArray(value)) return text(value);
    let line = "";
    for (let index = 0; index < value.length; index++) line += (index === 0 ? "" : ", ") + text(value[index]);
    return line;
  };

  const keyed =
    (service: string, method: string, name: string) =>
    (...values: unknown[]) => {
      expect(values, 1, `${name} is required`);
      return request(service, method, values[0]);
    };
  const stored =
    (service: string, method: string, name: string) =>
    (...values: unknown[]) => {
      expect(values, 2, `${name} are required`);
      return request(service, method, values[0], bodyOf(values[1]));
    };

  const remove = http("delete");
  return freeze({
    http: freeze({
      get: http("get"),
      head: http("head"),
      post: http("post"),
      put: http("put"),
      patch: http("patch"),
      delete: remove,
      del: remove,
    }),
    kv: freeze({
      get: keyed("kv", "get", "key"),
      set: stored("kv", "set", "key and value"),
      delete: keyed("kv", "delete", "key"),
      keys: () => request("kv", "keys", ""),
    }),
    objectStore: freeze({
      get: keyed("objectstore", "get", "name"),
      put: stored("objectstore", "put", "name and value"),
      delete: keyed("objectstore", "delete", "name"),
      list: () => request("objectstore", "list", ""),
    }),
    messaging: freeze({
      publish: stored("messaging", "publish", "subject and payload"),
      request: stored("messaging", "request", "subject and payload"),
      requestMany: stored("messaging", "requestMany", "subject and payload"),
    }),
  });
}
