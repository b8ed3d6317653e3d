import { createHash } from "node:crypto";
import { z } from "zod";
import { errorText, NexError } from "../lib/errors.ts";
import type { WorkloadClaims } from "./claims.ts";
import { decodeGoBase64 } from "./go-base64.ts";
import { decodeJson, goJson, readWire, wireObject } from "./json.ts";
import { verifySignature, type SigningKey } from "./keys.ts";
import { BASE32, encodeBase32 } from "../lib/base32.ts";

/** What goes into a token. `custom` is the `nats` object, its keys in order. */
export interface TokenContent {
  readonly issuer: SigningKey;
  readonly subject: string;
  /** Unix seconds. */
  readonly issuedAt: number;
  readonly custom: Readonly<Record<string, unknown>>;
}

/** A signed token, byte for byte as Go's jwt library makes it. */
export function encodeToken({ issuer, subject, issuedAt, custom }: TokenContent): string {
  const standard = { iat: issuedAt, iss: issuer.publicKey, sub: subject };
  const id = encodeBase32(createHash("sha512-256").update(goJson(standard)).digest(), BASE32);
  const payload = base64url(goJson({ jti: id, ...standard, nats: custom }));
  const signed = `${base64url('{"typ":"JWT","alg":"ed25519-nkey"}')}.${payload}`;
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString("base64url")}`;
}

/** Decodes a token and verifies its signature. Throws CLAIMS_INVALID: `could not decode workload JWT: …`. */
export function decodeToken(token: string): WorkloadClaims {
  const [head, body, tail, more] = token.split(".", 4);
  if (head === undefined || body === undefined || tail === undefined || more !== undefined) {
    throw undecodable("expected 3 chunks");
  }
  const header = decodePart(Header, head);
  if (header.typ.toUpperCase() !== "JWT")
    throw undecodable(`not supported type ${JSON.stringify(header.typ)}`);
  const algorithm = header.alg.toLowerCase();
  if (algorithm !== "ed25519-nkey") throw undecodable(`unexpected ${JSON.stringify(algorithm)} algorithm`);
  const payload = decodePart(Payload, body);
  const signature = decodeChunk(tail);
  if (!verifySignature(payload.iss, Buffer.from(`${head}.${body}`), signature)) {
    throw undecodable("claim failed V2 signature verification");
  }
  return {
    id: payload.jti,
    issuedAt: payload.iat,
    issuer: payload.iss,
    workloadName: payload.sub,
    ...(payload.nats?.hash === undefined ? {} : { hash: payload.nats.hash }),
    ...(payload.nats?.workload_id === undefined ? {} : { workloadId: payload.nats.workload_id }),
    ...(payload.exp === undefined ? {} : { expiresAt: payload.exp }),
    ...(payload.nbf === undefined ? {} : { notBefore: payload.nbf }),
  };
}

const Header = wireObject({ typ: z.string().default(""), alg: z.string().default("") });

const Payload = wireObject({
  jti: z.string().default(""),
  iat: z.number().int().default(0),
  iss: z.string().default(""),
  sub: z.string().default(""),
  exp: z.number().int().optional(),
  nbf: z.number().int().optional(),
  nats: wireObject({ hash: z.string().optional(), workload_id: z.string().optional() }).optional(),
});

function decodePart<Schema extends z.ZodType>(schema: Schema, chunk: string): z.output<Schema> {
  try {
    return readWire(schema, decodeJson(decodeChunk(chunk)));
  } catch (error) {
    if (error instanceof NexError && error.code === "CLAIMS_INVALID") throw error;
    throw undecodable(errorText(error));
  }
}

function decodeChunk(chunk: string): Uint8Array {
  const bytes = decodeGoBase64(chunk, "url");
  if (typeof bytes === "number") throw undecodable(`illegal base64 data at input byte ${bytes}`);
  return bytes;
}

function undecodable(detail: string): NexError {
  return new NexError({ code: "CLAIMS_INVALID", message: `could not decode workload JWT: ${detail}` });
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
