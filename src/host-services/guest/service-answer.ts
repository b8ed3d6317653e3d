/** An answer of the http service; its bytes only when they are not those of the text. */
export interface HttpAnswer {
  /** Status, headers, `body` as text and `url`, as they came. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly bytes: Uint8Array | undefined;
}

/** Reads JSON. */
export function parseAnswer(body: Uint8Array): unknown {
  return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"));
}

/** Why a call that was answered with 200 did not succeed after all. */
export function answeredProblem(body: Uint8Array): string | undefined {
  const reply = body.length === 0 ? {} : parseAnswer(body);
  if (typeof reply !== "object" || reply === null || !("success" in reply) || reply.success !== false)
    return undefined;
  return "errors" in reply && Array.isArray(reply.errors)
    ? reply.errors.join(", ")
    : "the call did not succeed";
}

/** The answers of `requestMany`, which come as a list of base64 texts. */
export function listOfBytes(body: Uint8Array): Uint8Array[] {
  const list = parseAnswer(body);
  if (!Array.isArray(list)) throw new TypeError("the answer is not a list");
  return list.map((item) => new Uint8Array(Buffer.from(String(item), "base64")));
}

/** Binary bodies come as base64 beside their text. */
export function httpAnswer(body: Uint8Array): HttpAnswer {
  const answer = parseAnswer(body);
  if (typeof answer !== "object" || answer === null) throw new TypeError("the answer is not an object");
  const { body_base64: base64, ...fields } = answer as Record<string, unknown>;
  const bytes = typeof base64 === "string" ? new Uint8Array(Buffer.from(base64, "base64")) : undefined;
  return { fields, bytes };
}
