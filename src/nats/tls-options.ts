import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { checkServerIdentity, createSecureContext } from "node:tls";
import type { PeerCertificate } from "node:tls";
import type { TlsOptions } from "@nats-io/transport-node";
import { errorText, NexError } from "../lib/errors.ts";
import { credentialsInvalid, readCredentials } from "./authentication.ts";
import type { ConnectionPlan } from "./connection-settings.ts";

/** What the client library gets; it hands everything on to `tls.connect`. */
export interface TlsClientOptions extends TlsOptions {
  readonly checkServerIdentity: typeof checkServerIdentity;
}

/**
 * The TLS options of a plan, or undefined when the server decides. Files are read and checked now.
 *
 * @throws {NexError} `NATS_CREDENTIALS_INVALID`, `NATS_URL_INVALID`
 */
export async function tlsOptionsOf(plan: ConnectionPlan): Promise<TlsClientOptions | undefined> {
  const { certFile, keyFile, caFile, first = false } = plan.tls ?? {};
  const wanted = plan.servers.tls || first || Boolean(certFile ?? keyFile ?? caFile);
  if (!wanted) return undefined;
  if (Boolean(certFile) !== Boolean(keyFile)) {
    throw credentialsInvalid("TLS client certificate", "certificate and key must be given together");
  }
  const [cert, key, ca] = await Promise.all([
    pem(certFile, "TLS certificate"),
    pem(keyFile, "TLS key"),
    pem(caFile, "TLS certificate authorities"),
  ]);
  if (ca !== undefined) checkAuthorities(ca, caFile ?? "");
  if (cert !== undefined && key !== undefined)
    checkPair({ cert, key, certFile: certFile ?? "", keyFile: keyFile ?? "" });
  return {
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(ca === undefined ? {} : { ca }),
    ...(first ? { handshakeFirst: true } : {}),
    checkServerIdentity: identityCheck(plan.servers.urls),
  };
}

/** Refuses what browsers' WebSockets cannot do. */
export function checkWebSocketPlan(plan: ConnectionPlan): void {
  const { certFile, keyFile, caFile, first } = plan.tls ?? {};
  if (!certFile && !keyFile && !caFile && !first) return;
  throw new NexError({
    code: "NATS_URL_INVALID",
    message: `Cannot use NATS server "${plan.servers.urls.join(",")}": TLS options do not work over WebSockets`,
    hint: "Connect with tls:// instead, or trust the authority with the environment variable NODE_EXTRA_CA_CERTS",
  });
}

/**
 * The client library hands no name over for a server given by IP address, so that Node.js would compare the
 * certificate with "localhost": compare with the addresses we were given.
 */
function identityCheck(urls: readonly string[]): typeof checkServerIdentity {
  const hosts = urls.map((url) => new URL(url.replace(/^\w+:/, "http:")).hostname.replaceAll(/[[\]]/g, ""));
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  return (name: string, certificate: PeerCertificate) => {
    if (name !== "localhost" || addresses.length === 0) return checkServerIdentity(name, certificate);
    const names = hosts.includes(name) ? [...addresses, name] : addresses;
    const errors = names.map((each) => checkServerIdentity(each, certificate));
    return errors.includes(undefined) ? undefined : errors[0];
  };
}

async function pem(file: string | undefined, kind: string): Promise<string | undefined> {
  return file ? readCredentials(file, `${kind} file`) : undefined;
}

function checkAuthorities(ca: string, file: string): void {
  try {
    createSecureContext({ ca: new X509Certificate(ca).toString() });
  } catch (cause) {
    throw credentialsInvalid(
      `TLS certificate authorities file "${file}"`,
      "it holds no certificate in PEM format",
      cause,
    );
  }
}

interface Pair {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

function checkPair({ cert, key, certFile, keyFile }: Pair): void {
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw credentialsInvalid(`TLS certificate "${certFile}" with key "${keyFile}"`, errorText(cause), cause);
  }
}
