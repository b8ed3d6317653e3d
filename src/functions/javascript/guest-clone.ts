import type { MakeDomException } from "./guest-errors.ts";

/**
 * `structuredClone`: plain data, dates, expressions, maps, sets, buffers, views, errors, also when they refer to each
 * other in circles. Runs inside the isolate, from its own source text: refers to nothing outside its body.
 */
export function guestClone(
  domException: MakeDomException,
  /** Makers of objects that can't be cloned although they look like plain ones. */
  unclonable: () => readonly object[],
): Readonly<Record<string, object>> {
  const { apply, getOwnPropertyDescriptor, getPrototypeOf, defineProperty, ownKeys } = Reflect;
  const { isArray } = Array;
  const isView: (value: unknown) => value is ArrayBufferView = Reflect.get(ArrayBuffer, "isView");
  const objects = Object.prototype;
  const views = getPrototypeOf(Uint8Array.prototype);
  const VIEWS: Readonly<Record<string, new (buffer: ArrayBufferLike, at: number, n?: number) => object>> = {
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  };
  const float16 = (globalThis as { Float16Array?: new () => object }).Float16Array;
  const ERRORS: Readonly<Record<string, new (message?: string) => Error>> = {
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
  };
  const getter = (prototype: object | null, name: PropertyKey): (() => unknown) =>
    (prototype === null ? undefined : getOwnPropertyDescriptor(prototype, name)?.get) ?? (() => undefined);
  const viewType = getter(views, Symbol.toStringTag);

  /** What `ask` answers about the value, undefined when it is not of that kind. */
  const when = <T>(ask: () => T, value: object): T | undefined => {
    try {
      return apply(ask, value, []);
    } catch {
      return undefined;
    }
  };
  const method = (owner: object, name: PropertyKey): (() => unknown) =>
    getOwnPropertyDescriptor(owner, name)?.value as () => unknown;
  const time = method(Date.prototype, "getTime");
  const mapSize = getter(Map.prototype, "size");
  const mapEntries = method(Map.prototype, "entries");
  const setSize = getter(Set.prototype, "size");
  const setValues = method(Set.prototype, "values");
  const source = getter(RegExp.prototype, "source");
  const flags = getter(RegExp.prototype, "flags");
  const hasMatches = getter(RegExp.prototype, "global");
  const bufferLength = getter(ArrayBuffer.prototype, "byteLength");
  const primitives = [Number, String, Boolean, BigInt].map((of) => method(of.prototype, "valueOf"));
  const hasWeak = [
    method(WeakMap.prototype, "has"),
    method(WeakSet.prototype, "has"),
    method(WeakRef.prototype, "deref"),
    method(Promise.prototype, "then"),
  ];

  const refuse = (value: unknown): Error => {
    const shown = typeof value === "symbol" ? value.toString() : typeof value;
    return domException(
      `${typeof value === "object" ? "the object" : shown} could not be cloned`,
      "DataCloneError",
    );
  };
  const put = (target: object, key: PropertyKey, value: unknown, enumerable = true): void => {
    defineProperty(target, key, {
      __proto__: null,
      value,
      enumerable,
      configurable: true,
      writable: true,
    } as PropertyDescriptor);
  };

  const clone = (value: unknown, seen: Map<object, object>): unknown => {
    if (typeof value === "symbol" || typeof value === "function") throw refuse(value);
    if (typeof value !== "object" || value === null) return value;
    const known = seen.get(value);
    if (known !== undefined) return known;
    const keep = <T extends object>(copy: T): T => {
      seen.set(value, copy);
      return copy;
    };
    const properties = (copy: object): object => {
      for (const key of ownKeys(value)) {
        if (typeof key !== "string" || getOwnPropertyDescriptor(value, key)?.enumerable !== true) continue;
        put(copy, key, clone((value as Record<string, unknown>)[key], seen));
      }
      return copy;
    };
    if (isArray(value)) {
      const copy = keep([] as unknown[]);
      copy.length = value.length;
      return properties(copy);
    }
    const prototype = getPrototypeOf(value);
    if (prototype === objects || prototype === null) return properties(keep({}));
    if (isView(value)) return keep(cloneView(value, seen));
    return cloneSpecial(value, { keep, properties, seen });
  };

  const cloneView = (value: ArrayBufferView, seen: Map<object, object>): object => {
    const { buffer, byteOffset, byteLength } = value;
    const copied = clone(buffer, seen) as ArrayBuffer;
    const type = apply(viewType, value, []) as string | undefined;
    const View =
      type === undefined ? undefined : (VIEWS[type] ?? (type === "Float16Array" ? float16 : undefined));
    if (type === undefined || View === undefined) return new DataView(copied, byteOffset, byteLength);
    return new View(copied, byteOffset, (value as Uint8Array).length);
  };

  interface Cloning {
    readonly keep: <T extends object>(copy: T) => T;
    readonly properties: (copy: object) => object;
    readonly seen: Map<object, object>;
  }
  const cloneSpecial = (value: object, { keep, properties, seen }: Cloning): unknown => {
    if (when(bufferLength, value) !== undefined) return keep(copyBuffer(value as ArrayBuffer));
    const millis = when(time, value);
    if (typeof millis === "number") return keep(new Date(millis));
    if (when(mapSize, value) !== undefined) {
      const entries = [...(apply(mapEntries, value, []) as Iterable<[unknown, unknown]>)];
      const copy = keep(new Map<unknown, unknown>());
      for (const [key, item] of entries) copy.set(clone(key, seen), clone(item, seen));
      return copy;
    }
    if (when(setSize, value) !== undefined) {
      const items = [...(apply(setValues, value, []) as Iterable<unknown>)];
      const copy = keep(new Set<unknown>());
      for (const item of items) copy.add(clone(item, seen));
      return copy;
    }
    if (when(hasMatches, value) !== undefined)
      return keep(new RegExp(String(when(source, value)), String(when(flags, value))));
    for (const primitive of primitives) {
      const inside = when(primitive, value);
      if (inside !== undefined) return keep(Object(inside) as object);
    }
    if (value instanceof Error) return cloneError(value, keep, seen);
    for (const ask of hasWeak) {
      // A promise's `then` answers; the others answer for their own kind only.
      if (ask === hasWeak[3] ? value instanceof Promise : when(ask, value) !== undefined) throw refuse(value);
    }
    if (unclonable().some((maker) => value instanceof (maker as { new (): object }))) throw refuse(value);
    return properties(keep({}));
  };

  const copyBuffer = (buffer: ArrayBuffer): ArrayBuffer => {
    if (buffer.detached) throw refuse(buffer);
    const copy = buffer.resizable
      ? new ArrayBuffer(buffer.byteLength, { maxByteLength: buffer.maxByteLength })
      : new ArrayBuffer(buffer.byteLength);
    new Uint8Array(copy).set(new Uint8Array(buffer));
    return copy;
  };

  const cloneError = (error: Error, keep: Cloning["keep"], seen: Map<object, object>): Error => {
    const Maker = ERRORS[error.name] ?? Error;
    const copy = keep(new Maker());
    const { stack } = error;
    put(copy, "message", error.message, false);
    if (typeof stack === "string") put(copy, "stack", stack, false);
    if ("cause" in error) put(copy, "cause", clone(error.cause, seen), false);
    return copy;
  };

  const structuredClone = (...values: unknown[]): unknown => {
    if (values.length === 0) throw new TypeError("structuredClone needs a value");
    const options = values[1] as { transfer?: unknown } | null | undefined;
    const transfer = options?.transfer;
    if (transfer !== undefined && transfer !== null && [...(transfer as Iterable<unknown>)].length > 0)
      throw domException("nothing can be transferred here", "DataCloneError");
    return clone(values[0], new Map());
  };
  return { structuredClone };
}
