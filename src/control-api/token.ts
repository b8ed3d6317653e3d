import { createHash } from "node:crypto";
import { z } from "zod";
import { errorText, NexError } from "../lib/errors.ts";
import type { WorkloadClaims } from "./claims.ts";
import { decodeGoBase64 } from "./go-base64.ts";
import { goJson, parseWire, wireObject } from "./json.ts";
import { verifySignature, type SigningKey } from "./keys.ts";
import { BASE32, encodeBase32 } from "../lib/base32.ts";

/** What goes into a token. `custom` is the `nats` object, its keys in order. */
export interface TokenContent {
  readonly issuer: SigningKey;
  readonly subject: string;
  /** Default: none. */
  readonly audience?: string;
  /** Unix seconds. */
  readonly issuedAt: number;
  readonly custom: Readonly<Record<string, unknown>>;
}

/** A signed token, byte for byte as Go's jwt library makes it. */
export function encodeToken({ issuer, subject, audience, issuedAt, custom }: TokenContent): string {
  const standard = { iat: issuedAt, iss: issuer.publicKey, sub: subject };
  const id = encodeBase32(
    createHash("sha512-256")
      .update(goJson({ aud: audience, ...standard }))
      .digest(),
    BASE32,
  );
  const payload = base64url(goJson({ aud: audience, jti: id, ...standard, nats: custom }));
  const signed = `${base64url('{"typ":"JWT","alg":"ed25519-nkey"}')}.${payload}`;
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString("base64url")}`;
}

/** Decodes a workload token and verifies its signature. Throws CLAIMS_INVALID: `could not decode workload JWT: …`. */
export function decodeToken(token: string): WorkloadClaims {
  const payload = openWorkloadToken(token);
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

/** A token that was read, not verified. */
export interface ParsedToken<Payload> {
  /** Anybody's words until {@link isSigned} says that they are those of `payload.iss`. */
  readonly payload: Payload;
  readonly isSigned: () => boolean;
}

/** Reads a token. Throws CLAIMS_INVALID or WIRE_INVALID, whose message is a short detail. */
export function parseToken<Payload extends { readonly iss: string }>(
  token: string,
  schema: z.ZodType<Payload>,
): ParsedToken<Payload> {
  const [head, body, tail, more] = token.split(".", 4);
  if (head === undefined || body === undefined || tail === undefined || more !== undefined) {
    throw invalid("expected 3 chunks");
  }
  const header = parseWire(Header, decodeChunk(head));
  if (header.typ.toUpperCase() !== "JWT") throw invalid(`not supported type ${JSON.stringify(header.typ)}`);
  const algorithm = header.alg.toLowerCase();
  if (algorithm !== "ed25519-nkey") throw invalid(`unexpected ${JSON.stringify(algorithm)} algorithm`);
  const payload = parseWire(schema, decodeChunk(body));
  const signature = decodeChunk(tail);
  return {
    payload,
    isSigned: () => verifySignature(payload.iss, Buffer.from(`${head}.${body}`), signature),
  };
}

const Header = wireObject({ typ: z.string().default(""), alg: z.string().default("") });

const WorkloadPayload = wireObject({
  jti: z.string().default(""),
  iat: z.number().int().default(0),
  iss: z.string().default(""),
  sub: z.string().default(""),
  exp: z.number().int().optional(),
  nbf: z.number().int().optional(),
  nats: wireObject({ hash: z.string().optional(), workload_id: z.string().optional() }).optional(),
});

function openWorkloadToken(token: string): z.output<typeof WorkloadPayload> {
  try {
    const { payload, isSigned } = parseToken(token, WorkloadPayload);
    if (!isSigned()) throw invalid("claim failed V2 signature verification");
    return payload;
  } catch (error) {
    throw invalid(`could not decode workload JWT: ${errorText(error)}`);
  }
}

function decodeChunk(chunk: string): Uint8Array {
  const bytes = decodeGoBase64(chunk, "url");
  if (typeof bytes === "number") throw invalid(`illegal base64 data at input byte ${bytes}`);
  return bytes;
}

function invalid(message: string): NexError {
  return new NexError({ code: "CLAIMS_INVALID", message });
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
