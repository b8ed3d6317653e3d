import type { GuestCompute } from "./guest-compute.ts";
import type { MakeDomException } from "./guest-errors.ts";
import type { GuestText } from "./guest-text.ts";

/**
 * `crypto`: random numbers and digests, both from the host. Runs inside the isolate, from its own source text: refers to
 * nothing outside its body.
 */
export function guestCrypto(
  compute: GuestCompute,
  { bytesOf }: GuestText,
  domException: MakeDomException,
): Readonly<Record<string, object>> {
  const MAX_RANDOM = 65_536;
  const ALGORITHMS: Readonly<Record<string, string>> = {
    __proto__: null as never,
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
  };
  const tag = Symbol.toStringTag;
  const unavailable = (): Error => domException("the operation failed", "OperationError");

  const digest = (algorithm: unknown, data: unknown): ArrayBuffer => {
    const named =
      typeof algorithm === "object" && algorithm !== null
        ? (algorithm as { name?: unknown }).name
        : algorithm;
    const known = ALGORITHMS[String(named).toUpperCase()];
    if (known === undefined)
      throw domException(`the algorithm "${String(named)}" is not supported`, "NotSupportedError");
    const result = compute("digest", known, new Uint8Array(bytesOf(data)));
    if (result === undefined) throw unavailable();
    return result.buffer as ArrayBuffer;
  };

  const subtle = Object.freeze({
    digest: async (algorithm: unknown, data: unknown) => digest(algorithm, data),
    get [tag]() {
      return "SubtleCrypto";
    },
  });
  const crypto = Object.freeze({
    subtle,
    getRandomValues: <T>(view: T): T => {
      const type: unknown = ArrayBuffer.isView(view)
        ? (view as unknown as { [tag]?: unknown })[tag]
        : undefined;
      if (typeof type !== "string" || !/^(?:Big)?(?:Ui|I)nt\d+(?:Clamped)?Array$/.test(type))
        throw domException("only arrays of integers can be filled", "TypeMismatchError");
      const bytes = bytesOf(view);
      if (bytes.length > MAX_RANDOM)
        throw domException(`at most ${MAX_RANDOM} bytes at once`, "QuotaExceededError");
      const random = compute("random", bytes.length);
      if (random === undefined) throw unavailable();
      bytes.set(random);
      return view;
    },
    randomUUID: (): string => {
      const id = compute("uuid");
      if (id === undefined) throw unavailable();
      return id;
    },
    get [tag]() {
      return "Crypto";
    },
  });
  return { crypto };
}
