/*
 * The two messages of an auth callout: what the server asks about a connection, and what it is told of a user.
 */
import { z } from "zod";
import { wireObject } from "../control-api/json.ts";
import { isPublicKey, verifySignature, type SigningKey } from "../control-api/keys.ts";
import { encodeToken, parseToken } from "../control-api/token.ts";
import { NexError } from "../lib/errors.ts";
import type { Permissions } from "./agent-permissions.ts";

/** Between whom the messages go: either end refuses all others. */
export interface CalloutParties {
  /** Public key of the server. */
  readonly server: string;
  /** The account key that signs for it. */
  readonly issuer: SigningKey;
}

/** A connection whose client has proved that it has a key of `owner`. */
export interface AuthorizationRequest<Owner> {
  /** The server's number of the connection; no other ever gets it. */
  readonly connection: number;
  readonly owner: Owner;
  /** A key that the server made up for this request: what the answer is about. */
  readonly subject: string;
}

/** What a user may do. */
export interface Authorization extends Permissions {
  readonly account: string;
}

/**
 * Reads the server's question and verifies both signatures: the server's of the question, and the client's of the nonce that
 * the server sent it, which the server itself has not looked at. Verifying is slow: it is done for keys only whose
 * owner `ownerOf` knows.
 *
 * @throws {NexError} `CLAIMS_INVALID`, `WIRE_INVALID`
 */
export function readAuthorizationRequest<Owner extends object>(
  token: string,
  { server, issuer }: CalloutParties,
  ownerOf: (publicKey: string) => Owner | undefined,
): AuthorizationRequest<Owner> {
  const { payload, isSigned } = parseToken(token, RequestClaims);
  const { iss, sub, aud, exp, nats } = payload;
  if (iss !== server || nats.server_id.id !== server) throw refused("it is another server's");
  if (aud !== AUDIENCE || nats.type !== TYPE) throw refused("it is no authorization request");
  if (sub !== issuer.publicKey) throw refused("it is for another issuer");
  if (exp * 1000 < Date.now()) throw refused("it has expired");
  if (!isPublicKey(nats.user_nkey, "user")) throw refused("it is about no user");
  const { nkey, sig } = nats.connect_opts;
  const { id, nonce } = nats.client_info;
  if (nonce === "" || !isPublicKey(nkey, "user")) throw refused("the client has no key");
  const owner = ownerOf(nkey);
  if (owner === undefined) throw refused("the client's key is not expected");
  if (!isSigned()) throw refused("the server's signature is wrong");
  if (!verifySignature(nkey, Buffer.from(nonce), Buffer.from(sig, "base64url")))
    throw refused("the client does not own its key");
  return { connection: id, owner, subject: nats.user_nkey };
}

/** The answer that lets the client in. */
export function authorizeUser(
  subject: string,
  { account, publish, subscribe }: Authorization,
  { server, issuer }: CalloutParties,
): string {
  const issuedAt = Math.floor(Date.now() / 1000);
  const permissions = { pub: { allow: publish }, sub: { allow: subscribe } };
  const user = encodeToken({
    issuer,
    subject,
    audience: account,
    issuedAt,
    // -1 is no limit besides the server's own; none at all would be zero.
    custom: { ...permissions, subs: -1, data: -1, payload: -1, type: "user", version: 2 },
  });
  return encodeToken({
    issuer,
    subject,
    audience: server,
    issuedAt,
    custom: { jwt: user, type: "authorization_response", version: 2 },
  });
}

const AUDIENCE = "nats-authorization-request";
const TYPE = "authorization_request";

const RequestClaims = wireObject({
  iss: z.string(),
  sub: z.string(),
  aud: z.string(),
  exp: z.number(),
  nats: wireObject({
    type: z.string(),
    server_id: wireObject({ id: z.string() }),
    user_nkey: z.string(),
    client_info: wireObject({ id: z.number().int(), nonce: z.string().default("") }),
    connect_opts: wireObject({ nkey: z.string().default(""), sig: z.string().default("") }),
  }),
});

function refused(reason: string): NexError {
  return new NexError({
    code: "CLAIMS_INVALID",
    message: `Cannot accept an authorization request: ${reason}`,
  });
}
