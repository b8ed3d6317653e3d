/** What a call asks for: service, method, target, body, request headers, and whether redirects are left to the module. */
type NexCall = readonly [
  service: string,
  method: string,
  target: Uint8Array,
  body: Uint8Array,
  headers: Uint8Array,
  manualRedirect: boolean,
];

/** The import module `nex`, and the instance it serves. */
export interface Nex {
  readonly calls: Readonly<Record<string, (...values: never[]) => number>>;
  /** A new invocation: nothing of the one before can be read any more. */
  reset(): void;
  /** Gives the calls a memory; without one every pointer lies outside. */
  attach(memory: { readonly buffer: ArrayBuffer }): void;
}

/**
 * The host services as functions over linear memory (docs/webassembly.md). Runs inside the isolate, from its own source
 * text: refers to nothing outside its body. `call` waits for the answer, a `MemoryReply`.
 *
 * X1 no pointer reaches beyond the module's memory: one that would traps
 * X2 a call copies what it is given and keeps no view of the memory, which may grow before the next one
 * X3 at most one result is kept: that of the last call of this invocation
 */
export function guestNex(call: (call: NexCall) => unknown): Nex {
  const TOO_LARGE = 413;
  const NO_REDIRECTS = 1;
  const MAX_TEXT_BYTES = 64 * 1024;
  const MAX_BODY_BYTES = 32 * 1024 * 1024;
  const NOTHING = new Uint8Array(0);

  let memory: { readonly buffer: ArrayBuffer } = { buffer: new ArrayBuffer(0) };
  let result = NOTHING;
  let httpStatus = 0;
  let httpHeaders = NOTHING;

  const keep = (bytes: Uint8Array<ArrayBuffer>, status: number, headers: Uint8Array<ArrayBuffer>): void => {
    result = bytes;
    httpStatus = status;
    httpHeaders = headers;
  };
  const reset = (): void => keep(NOTHING, 0, NOTHING);

  /** Numbers come signed, whatever the module means by them (X1). */
  const bytesAt = (pointer: number, length: number): Uint8Array => {
    const [start, size] = [pointer >>> 0, length >>> 0];
    if (size === 0) return NOTHING;
    if (start + size > memory.buffer.byteLength)
      throw new Error(`${size} bytes at ${start} lie outside of the memory`);
    return new Uint8Array(memory.buffer, start, size);
  };

  const ascii = (text: string): Uint8Array<ArrayBuffer> =>
    Uint8Array.from(text, (character) => character.charCodeAt(0));

  const perform = (
    service: string,
    method: string,
    parts: { readonly target?: Uint8Array; readonly body?: Uint8Array; readonly headers?: Uint8Array },
    manualRedirect = false,
  ): number => {
    const { target = NOTHING, body = NOTHING, headers = NOTHING } = parts;
    reset();
    const limits = [
      ["name", target, MAX_TEXT_BYTES],
      ["request headers", headers, MAX_TEXT_BYTES],
      ["body", body, MAX_BODY_BYTES],
    ] as const;
    for (const [what, bytes, limit] of limits) {
      if (bytes.length <= limit) continue;
      keep(ascii(`the ${what} of ${bytes.length} bytes exceeds the limit of ${limit} bytes`), 0, NOTHING);
      return TOO_LARGE;
    }
    const reply = call([service, method, target.slice(), body.slice(), headers.slice(), manualRedirect]) as
      | [code: number, ...Parameters<typeof keep>]
      | undefined;
    if (reply === undefined) throw new Error("function has been stopped");
    const [code, ...kept] = reply;
    keep(...kept);
    return code;
  };

  const copyOut = (from: Uint8Array, offset: number, pointer: number, length: number): number => {
    const target = bytesAt(pointer, length);
    const part = from.subarray(offset >>> 0, (offset >>> 0) + target.length);
    target.set(part);
    return part.length;
  };

  const named = (service: string, method: string) => (name: number, length: number) =>
    perform(service, method, { target: bytesAt(name, length) });
  const sent =
    (service: string, method: string) => (name: number, nameLength: number, body: number, length: number) =>
      perform(service, method, { target: bytesAt(name, nameLength), body: bytesAt(body, length) });
  const listed = (service: string, method: string) => () => perform(service, method, {});

  const methodAt = (pointer: number, length: number): string =>
    length >>> 0 > 16 ? "" : String.fromCharCode(...bytesAt(pointer, length)).toLowerCase();

  const httpRequest = (
    ...values: readonly [
      method: number,
      methodLength: number,
      url: number,
      urlLength: number,
      headers: number,
      headersLength: number,
      body: number,
      bodyLength: number,
      flags: number,
    ]
  ): number => {
    const [method, methodLength, url, urlLength, headers, headersLength, body, bodyLength, flags] = values;
    return perform(
      "http",
      methodAt(method, methodLength),
      {
        target: bytesAt(url, urlLength),
        body: bytesAt(body, bodyLength),
        headers: bytesAt(headers, headersLength),
      },
      (flags & NO_REDIRECTS) !== 0,
    );
  };

  const table: Readonly<Record<string, (...values: never[]) => number>> = {
    kv_get: named("kv", "get"),
    kv_set: sent("kv", "set"),
    kv_delete: named("kv", "delete"),
    kv_keys: listed("kv", "keys"),
    object_store_get: named("objectstore", "get"),
    object_store_put: sent("objectstore", "put"),
    object_store_delete: named("objectstore", "delete"),
    object_store_list: listed("objectstore", "list"),
    messaging_publish: sent("messaging", "publish"),
    messaging_request: sent("messaging", "request"),
    messaging_request_many: sent("messaging", "requestMany"),
    http_request: httpRequest,
    http_status: () => httpStatus,
    http_headers_length: () => httpHeaders.length,
    http_headers_read: (offset: number, pointer: number, length: number) =>
      copyOut(httpHeaders, offset, pointer, length),
    result_length: () => result.length,
    result_read: (offset: number, pointer: number, length: number) =>
      copyOut(result, offset, pointer, length),
  };

  const calls: Record<string, (...values: never[]) => number> = {};
  for (const [name, body] of Object.entries(table)) {
    calls[name] = (...values: never[]) => {
      try {
        return body(...values);
      } catch (error) {
        throw new Error(`nex.${name}: ${error instanceof Error ? error.message : "failed"}`, {
          cause: error,
        });
      }
    };
  }
  return {
    calls,
    reset,
    attach(next) {
      memory = next;
    },
  };
}
