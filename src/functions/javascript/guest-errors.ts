/** Makes the errors that web interfaces throw. */
export type MakeDomException = (message: string, name: string) => Error;

/** `DOMException` and how the other parts make one. */
export interface GuestErrors {
  readonly globals: Readonly<Record<string, object>>;
  readonly domException: MakeDomException;
}

/**
 * `DOMException`. Runs inside the isolate, from its own source text: refers to nothing outside its body.
 */
export function guestErrors(): GuestErrors {
  const { defineProperty } = Reflect;
  const CODES: Readonly<Record<string, number>> = {
    IndexSizeError: 1,
    NotFoundError: 8,
    NotSupportedError: 9,
    InvalidStateError: 11,
    SyntaxError: 12,
    InvalidAccessError: 15,
    InvalidCharacterError: 5,
    TypeMismatchError: 17,
    AbortError: 20,
    QuotaExceededError: 22,
    TimeoutError: 23,
    DataCloneError: 25,
  };
  class WebException extends Error {
    constructor(message: unknown = "", options: unknown = "Error") {
      super(String(message));
      const isObject = typeof options === "object" && options !== null;
      const { name = "Error", cause } = isObject
        ? (options as { name?: unknown; cause?: unknown })
        : { name: options };
      const hidden = (key: string, value: unknown): void => {
        defineProperty(this, key, {
          __proto__: null,
          value,
          writable: true,
          configurable: true,
        } as PropertyDescriptor);
      };
      hidden("name", String(name));
      if (cause !== undefined) hidden("cause", cause);
    }
    get code(): number {
      return CODES[this.name] ?? 0;
    }
    get [Symbol.toStringTag](): string {
      return "DOMException";
    }
  }
  return {
    globals: { DOMException: WebException },
    domException: (message, name) => new WebException(message, name),
  };
}
