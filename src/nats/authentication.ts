import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fromSeed } from "@nats-io/nkeys";
import { credsAuthenticator, jwtAuthenticator, nkeyAuthenticator } from "@nats-io/transport-node";
import type { Authenticator } from "@nats-io/transport-node";
import { errorText, NexError } from "../lib/errors.ts";
import type { Authentication } from "./connection-settings.ts";

/**
 * Makes what the client library asks at every connect. Files are checked now and read again at each reconnect, so that
 * renewed credentials are picked up; when that fails the last good ones are used.
 *
 * @throws {NexError} `NATS_CREDENTIALS_INVALID`
 */
export async function authenticatorOf(authentication: Authentication): Promise<Authenticator | undefined> {
  switch (authentication.kind) {
    case "user": {
      const { user, password } = authentication;
      return () => ({ user, pass: password });
    }
    case "creds":
      return credsAuthenticator(await renewed(authentication.file, "credentials file", credentialsOf));
    case "nkey":
      return nkeyAuthenticator(await renewed(authentication.file, "nkey file", seedOf));
    case "jwt":
      return jwtOf(authentication);
    case "none":
      break;
  }
  return undefined;
}

/** A function that gives the file's current content, `parse`d. */
async function renewed(
  file: string,
  kind: string,
  parse: (content: string) => Uint8Array,
): Promise<() => Uint8Array> {
  const subject = `${kind} "${file}"`;
  let last = checked(subject, parse, await readCredentials(file, kind));
  return () => {
    try {
      last = parse(readFileSync(file, "utf8"));
    } catch {
      return last;
    }
    return last;
  };
}

/** Reads a file that the user named. */
export async function readCredentials(file: string, kind: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw credentialsInvalid(
      `${kind} "${file}"`,
      missing ? "there is no such file" : errorText(cause),
      cause,
    );
  }
}

/** The error for credentials that cannot be used; `reason` holds no secret. */
export function credentialsInvalid(subject: string, reason: string, cause?: unknown): NexError {
  return new NexError({
    code: "NATS_CREDENTIALS_INVALID",
    message: `Cannot use ${subject}: ${reason}`,
    cause,
  });
}

function checked(subject: string, parse: (content: string) => Uint8Array, content: string): Uint8Array {
  try {
    return parse(content);
  } catch (cause) {
    throw credentialsInvalid(subject, errorText(cause));
  }
}

function jwtOf({ jwt, seed }: Extract<Authentication, { kind: "jwt" }>): Authenticator {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(jwt)) throw credentialsInvalid("the user JWT", "it is not a JWT");
  if (!seed) return jwtAuthenticator(jwt);
  return jwtAuthenticator(jwt, checked("the user seed", seedOf, seed));
}

/** A credentials file normalised for the client library: line ends and surrounding text vary between tools. */
function credentialsOf(content: string): Uint8Array {
  const [, jwt] =
    /-{3,}BEGIN NATS USER JWT-{3,}\s+([\w-]+\.[\w-]+\.[\w-]+)\s+-{3,}END NATS USER JWT-{3,}/.exec(content) ??
    [];
  if (jwt === undefined) throw new Error("it holds no user JWT");
  const seed = new TextDecoder().decode(seedOf(content));
  return new TextEncoder().encode(
    `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n` +
      `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
  );
}

/** The first line that is a seed: files carry line ends, comments and decoration. */
function seedOf(content: string): Uint8Array {
  const line = content.split(/\r?\n/).find((each) => /^\s*S[A-Z2-7]{57}\s*$/.test(each));
  if (line === undefined) throw new Error("it holds no nkey seed");
  if (!line.trim().startsWith("SU")) throw new Error('its seed is not the one of a user ("SU…")');
  const seed = new TextEncoder().encode(line.trim());
  try {
    fromSeed(seed);
  } catch {
    throw new Error("its nkey seed is damaged");
  }
  return seed;
}
