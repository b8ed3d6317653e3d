/** Turns a value into a line of text for the log, like `{ seen: "js.echo", size: 4 }`. */
export type Inspect = (value: unknown) => string;

/**
 * Runs inside the isolate, from its own source text: refers to nothing outside its body. What it calls is taken
 * before the function's code runs.
 */
export function guestInspect(): Inspect {
  const MAX_DEPTH = 4;
  const MAX_ENTRIES = 100;
  const MAX_TEXT = 8192;
  const { stringify } = JSON;
  const { ownKeys, getOwnPropertyDescriptor, getPrototypeOf, apply } = Reflect;
  const { isArray } = Array;
  const isView: typeof ArrayBuffer.isView = Reflect.get(ArrayBuffer, "isView");
  const toIso: () => string = Reflect.get(Date.prototype, "toISOString");
  const toSource: () => string = Reflect.get(RegExp.prototype, "toString");
  const MapOf = Map;
  const SetOf = Set;
  const DateOf = Date;
  const RegExpOf = RegExp;
  const ErrorOf = Error;
  const PromiseOf = Promise;

  const errorText = (error: Error): string => {
    const { stack } = error;
    if (typeof stack !== "string" || stack === "") return `${error.name}: ${error.message}`;
    return stack
      .split("\n")
      .filter((line) => !line.includes("nex:guest"))
      .join("\n");
  };

  const typeName = (value: object): string => {
    const prototype: { constructor?: { name?: unknown } } | null = getPrototypeOf(value);
    if (prototype === null) return "[Object: null prototype]";
    const name = prototype.constructor?.name;
    return typeof name === "string" ? name : "Object";
  };

  const enclosed = (prefix: string, open: string, parts: string[], close: string): string => {
    const start = prefix === "" ? open : `${prefix} ${open}`;
    return parts.length === 0 ? start + close : `${start} ${parts.join(", ")} ${close}`;
  };

  const listed = (values: ArrayLike<unknown>, total: number, show: (value: unknown) => string): string[] => {
    const parts: string[] = [];
    for (let index = 0; index < values.length && index < MAX_ENTRIES; index++)
      parts.push(show(values[index]));
    if (total > parts.length) parts.push(`... ${total - parts.length} more`);
    return parts;
  };

  const inspect = (value: unknown, depth: number, above: readonly unknown[]): string => {
    switch (typeof value) {
      case "string":
        return stringify(value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}...` : value);
      case "bigint":
        return `${value}n`;
      case "symbol":
        return String(value);
      case "function":
        return `[Function: ${value.name === "" ? "(anonymous)" : value.name}]`;
      case "object":
        return value === null ? "null" : inspectObject(value, depth, above);
      case "number":
        return Object.is(value, -0) ? "-0" : String(value);
      case "boolean":
      case "undefined":
      default:
        return String(value);
    }
  };

  const inspectObject = (value: object, depth: number, above: readonly unknown[]): string => {
    if (above.includes(value)) return "[Circular]";
    if (value instanceof ErrorOf) return errorText(value);
    if (value instanceof DateOf) return Number.isNaN(+value) ? "Invalid Date" : apply(toIso, value, []);
    if (value instanceof RegExpOf) return apply(toSource, value, []);
    const name = typeName(value);
    if (depth > MAX_DEPTH) return isArray(value) ? "[Array]" : `[${name}]`;
    const inside = [...above, value];
    const show = (item: unknown): string => inspect(item, depth + 1, inside);
    if (isArray(value)) return enclosed("", "[", listed(value, value.length, show), "]");
    if (isView(value) && "length" in value) {
      const items = value as unknown as ArrayLike<unknown>;
      return enclosed(`${name}(${items.length})`, "[", listed(items, items.length, show), "]");
    }
    if (value instanceof MapOf) {
      const pairs = [...value].map(([key, item]) => `${show(key)} => ${show(item)}`);
      return enclosed(`Map(${value.size})`, "{", listed(pairs, value.size, String), "}");
    }
    if (value instanceof SetOf) {
      return enclosed(`Set(${value.size})`, "{", listed([...value], value.size, show), "}");
    }
    if (value instanceof PromiseOf) return "Promise {}";
    return enclosed(name === "Object" ? "" : name, "{", properties(value, show), "}");
  };

  const properties = (value: object, show: (value: unknown) => string): string[] => {
    const keys = ownKeys(value).filter((key) => getOwnPropertyDescriptor(value, key)?.enumerable === true);
    return listed(keys, keys.length, (key) => {
      const own = getOwnPropertyDescriptor(value, key as PropertyKey);
      const label = typeof key === "symbol" ? `[${String(key)}]` : propertyName(String(key));
      return `${label}: ${own !== undefined && "value" in own ? show(own.value) : "[Getter]"}`;
    });
  };

  const propertyName = (key: string): string => (/^[A-Za-z_$][\w$]*$/.test(key) ? key : stringify(key));

  return (value) => inspect(value, 0, []);
}
