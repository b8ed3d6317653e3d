import { randomUUID } from "node:crypto";
import { createAccount, createOperator, createUser } from "@nats-io/nkeys";
import type { KeyPair } from "@nats-io/nkeys";

/** A server in operator mode with one account, and a user of it. */
export interface TestOperator {
  /** Configuration of the server. */
  readonly configText: string;
  readonly userJwt: string;
  readonly userSeed: string;
  /** The content of a credentials file. */
  readonly creds: string;
}

/** Makes an operator, an account and a user. `expires` is in seconds since 1970. */
export function makeOperator({ expires }: { readonly expires?: number } = {}): TestOperator {
  const [operator, account, user] = [createOperator(), createAccount(), createUser()];
  const unlimited = { subs: -1, data: -1, payload: -1 };
  const operatorJwt = claims({ issuer: operator, subject: operator, nats: { type: "operator", version: 2 } });
  const accountJwt = claims({
    issuer: operator,
    subject: account,
    nats: {
      type: "account",
      version: 2,
      limits: { ...unlimited, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
    },
  });
  const userJwt = claims({
    issuer: account,
    subject: user,
    nats: { type: "user", version: 2, ...unlimited, pub: {}, sub: {} },
    ...(expires === undefined ? {} : { expires }),
  });
  const userSeed = new TextDecoder().decode(user.getSeed());
  return {
    configText: `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`,
    userJwt,
    userSeed,
    creds:
      `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n` +
      `************************* IMPORTANT *************************\nNKEY Seed printed below can be used to sign.\n\n` +
      `-----BEGIN USER NKEY SEED-----\n${userSeed}\n------END USER NKEY SEED------\n`,
  };
}

interface Claims {
  readonly issuer: KeyPair;
  readonly subject: KeyPair;
  readonly nats: object;
  readonly expires?: number;
}

function claims({ issuer, subject, nats, expires }: Claims): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = {
    jti: randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    name: "test",
    sub: subject.getPublicKey(),
    ...(expires === undefined ? {} : { exp: expires }),
    nats,
  };
  const signed = `${part({ typ: "JWT", alg: "ed25519-nkey" })}.${part(body)}`;
  return `${signed}.${Buffer.from(issuer.sign(new TextEncoder().encode(signed))).toString("base64url")}`;
}
