/** One host service call out of the isolate. */
export interface GuestCall {
  readonly service: string;
  readonly method: string;
  readonly target: string;
  readonly body: string | Uint8Array | undefined;
  /** Request headers of http as JSON text. */
  readonly headers?: string;
  /** `manual` when http shall not follow redirects. */
  readonly redirect?: string;
}

/**
 * Makes a call and waits for its answer: `undefined`, `=` and JSON text, `!` and the text of an error, bytes, a list of
 * bytes, or for http `=` and JSON text with the bytes of the body.
 */
export type GuestServiceCall = (call: GuestCall) => unknown;

/** Makes a call; its answer comes later. */
export type GuestLaterCall = (call: GuestCall, done: (reply: unknown) => void) => void;

/** A group of methods as a function calls them. */
type GuestService = Readonly<Record<string, (...values: unknown[]) => unknown>>;

interface GuestServices {
  readonly http: GuestService;
  readonly kv: GuestService;
  readonly objectStore: GuestService;
  readonly messaging: GuestService;
}

/** `hostServices` as a function sees it; the methods of `async` give promises of the same. */
export interface GuestHostServices extends GuestServices {
  readonly async: GuestServices;
}

/** An answer of the http service. */
export interface GuestHttpAnswer {
  readonly status: number;
  /** Names as the service writes them, each with its values. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly url: string | undefined;
  /** The bytes of the body when they are not those of the text. */
  readonly bytes: Uint8Array | undefined;
}

/** What `hostServices` is made from. */
export interface GuestHostServicesParts {
  readonly call: GuestServiceCall;
  readonly callLater: GuestLaterCall;
  /** UTF-8. */
  readonly encode: (text: string) => Uint8Array;
}

/** `hostServices`, and what `fetch` needs of it. */
export interface GuestServiceKit {
  readonly hostServices: GuestHostServices;
  /** Reads a raw answer of the http service. Throws an error with the text of a failure. */
  readonly readHttp: (reply: unknown) => GuestHttpAnswer;
}

/**
 * Builds `hostServices`. Runs inside the isolate, from its own source text: refers to nothing outside its body, and
 * takes what it calls before the function's code runs.
 */
export function guestHostServices({ call, callLater, encode }: GuestHostServicesParts): GuestServiceKit {
  const { parse } = JSON;
  const { apply, getOwnPropertyDescriptor, getPrototypeOf, defineProperty, ownKeys } = Reflect;
  const { freeze } = Object;
  const { isArray } = Array;
  const slice: () => string = Reflect.get(String.prototype, "slice");
  const Bytes = Uint8Array;
  const ErrorOf = Error;
  const PromiseOf = Promise;
  const text = String;
  const viewType = getOwnPropertyDescriptor(
    getPrototypeOf(Uint8Array.prototype) as object,
    Symbol.toStringTag,
  )?.get;

  /** A call with its arguments checked, and how its answer is read. */
  interface Prepared extends GuestCall {
    readonly read: (reply: unknown) => unknown;
  }
  type Prepare = (values: readonly unknown[]) => Prepared;
  type Run = (prepare: Prepare) => (...values: unknown[]) => unknown;

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

  const unwrap = (reply: unknown, prefix: string): unknown => {
    if (typeof reply !== "string") return reply;
    const rest = apply<unknown, unknown[], string>(slice, reply, [1]);
    if (reply[0] !== "!") return parse(rest);
    throw failure(rest, prefix + rest);
  };
  const read = (reply: unknown): unknown => unwrap(reply, "Error: ");

  /** The named arguments must all be there, and nothing else. */
  const expect = (values: readonly unknown[], count: number, message: string): void => {
    if (values.length !== count) throw failure(message, message);
  };

  const define = (target: object, name: string, property: PropertyDescriptor): void => {
    defineProperty(target, name, { __proto__: null, configurable: true, ...property } as PropertyDescriptor);
  };

  const readHttp = (reply: unknown): GuestHttpAnswer => {
    const [head, bytes] = isArray(reply) ? (reply as unknown[]) : [reply];
    const answer = unwrap(head, "") as {
      status: number;
      headers?: Record<string, unknown> | null;
      body?: string | null;
      url?: string;
    };
    return {
      status: answer.status,
      headers: answer.headers ?? {},
      text: answer.body ?? "",
      url: answer.url,
      bytes: bytes as Uint8Array | undefined,
    };
  };

  const httpResult = (reply: unknown): object => {
    const answer = readHttp(reply);
    const headers: Record<string, string> = {};
    const names = ownKeys(answer.headers);
    for (let index = 0; index < names.length; index++) {
      const name = names[index] as string;
      define(headers, name, { value: joined(answer.headers[name]), enumerable: true, writable: true });
    }
    const result = { status: answer.status, headers, response: answer.text };
    let { bytes } = answer;
    // Not part of the result's JSON, and made when it is asked for.
    define(result, "bytes", { get: () => (bytes ??= encode(answer.text)), enumerable: false });
    return result;
  };

  const joined = (value: unknown): string => {
    if (!isArray(value)) return text(value);
    let line = "";
    for (let index = 0; index < value.length; index++) line += (index === 0 ? "" : ", ") + text(value[index]);
    return line;
  };

  const http =
    (method: string): Prepare =>
    (values) => {
      if (values.length === 0) throw failure("url is required", "url is required");
      const body = values[1] === undefined || values[1] === null ? undefined : bodyOf(values[1]);
      return { service: "http", method, target: text(values[0]), body, read: httpResult };
    };
  const keyed =
    (service: string, method: string, name: string): Prepare =>
    (values) => {
      expect(values, 1, `${name} is required`);
      return { service, method, target: text(values[0]), body: undefined, read };
    };
  const stored =
    (service: string, method: string, name: string): Prepare =>
    (values) => {
      expect(values, 2, `${name} are required`);
      return { service, method, target: text(values[0]), body: bodyOf(values[1]), read };
    };
  const listed =
    (service: string, method: string): Prepare =>
    () => ({ service, method, target: "", body: undefined, read });

  const services = (run: Run): GuestServices => {
    const remove = run(http("delete"));
    return {
      http: freeze({
        get: run(http("get")),
        head: run(http("head")),
        post: run(http("post")),
        put: run(http("put")),
        patch: run(http("patch")),
        delete: remove,
        del: remove,
      }),
      kv: freeze({
        get: run(keyed("kv", "get", "key")),
        set: run(stored("kv", "set", "key and value")),
        delete: run(keyed("kv", "delete", "key")),
        keys: run(listed("kv", "keys")),
      }),
      objectStore: freeze({
        get: run(keyed("objectstore", "get", "name")),
        put: run(stored("objectstore", "put", "name and value")),
        delete: run(keyed("objectstore", "delete", "name")),
        list: run(listed("objectstore", "list")),
      }),
      messaging: freeze({
        publish: run(stored("messaging", "publish", "subject and payload")),
        request: run(stored("messaging", "request", "subject and payload")),
        requestMany: run(stored("messaging", "requestMany", "subject and payload")),
      }),
    };
  };

  const now: Run =
    (prepare) =>
    (...values) => {
      const prepared = prepare(values);
      return prepared.read(call(prepared));
    };
  const later: Run =
    (prepare) =>
    (...values) =>
      new PromiseOf((resolve, reject) => {
        const prepared = prepare(values);
        callLater(prepared, (reply) => {
          try {
            resolve(prepared.read(reply));
          } catch (error) {
            reject(error);
          }
        });
      });

  return {
    hostServices: freeze({ ...services(now), async: freeze(services(later)) }),
    readHttp,
  };
}
