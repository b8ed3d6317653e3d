// Every way to reach a server, by flag and by variable, through the command line. What can go wrong in each is tested
// with the connection itself (nats-connect, nats-tls).
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createUser } from "@nats-io/nkeys";
import { compareVersions } from "../../src/nats/server-version.ts";
import { makeAuthority, noOpenssl } from "../support/certificates.ts";
import type { TestAuthority, TestCertificate } from "../support/certificates.ts";
import { makeOperator } from "../support/nats-operator.ts";
import { runNex } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";

type Variables = Readonly<Record<string, string>>;

let home: string;
const file = (name: string): string => join(home, name);

before(async () => {
  home = await mkdtemp(join(tmpdir(), "nex-test-connection-"));
});
after(async () => rm(home, { recursive: true, force: true }));

/** `nex node ls` finds no nodes, but a server that lets it in. */
async function connects(flags: readonly string[], env: Variables): Promise<void> {
  const { code, stdout, stderr } = await list(flags, env);
  assert.deepEqual([code, stdout, stderr], [0, "[]\n", ""]);
}

async function fails(stderr: RegExp, flags: readonly string[], env: Variables): Promise<void> {
  const result = await list(flags, env);
  assert.deepEqual([result.code, result.stdout], [1, ""]);
  assert.match(result.stderr, stderr);
}

function list(flags: readonly string[], env: Variables): ReturnType<typeof runNex> {
  return runNex(["node", "ls", "--json", ...flags], { env: { HOME: home, NATS_TIMEOUT: "50ms", ...env } });
}

async function writeContext(name: string, content: object): Promise<void> {
  await mkdir(file(".config/nats/context"), { recursive: true });
  await writeFile(file(`.config/nats/context/${name}.json`), JSON.stringify(content));
}

const REFUSED =
  /^nex: error: Cannot connect to NATS server ".*": the credentials were refused .*\nhint: .*--creds/;
const WANTED =
  /^nex: error: Cannot connect to NATS server ".*": it wants credentials and none were given\nhint: /;

describe("the command line proves who it is", { concurrency: 2 }, () => {
  test("with user and password: flags, variables, URL, context", async () => {
    await using nats = await startNats({
      jetstream: false,
      configText: "authorization { user: u, password: p }",
    });
    await writeContext("users", { url: nats.url, user: "u", password: "p" });
    const server = `--server=${nats.url}`;
    await connects([server, "--user=u", "--password=p"], {});
    await connects([], { NATS_URL: nats.url, NATS_USER: "u", NATS_PASSWORD: "p" });
    await connects([], { NATS_URL: nats.url.replace("//", "//u:p@") });
    await connects(["--context=users"], {});
    await connects([], { NATS_CONTEXT: "users" });
    await fails(REFUSED, [server, "--user=u", "--password=wrong"], {});
    await fails(WANTED, [server], {});
  });

  test("with a token, which is a user without a password", async () => {
    await using nats = await startNats({ jetstream: false, configText: "authorization { token: secret-t }" });
    await connects([`--server=${nats.url}`, "--user=secret-t"], {});
    await connects([], { NATS_URL: nats.url, NATS_USER: "secret-t" });
    await fails(REFUSED, [`--server=${nats.url}`, "--user=other"], {});
  });

  test("with a credentials file", async () => {
    const operator = makeOperator();
    await using nats = await startNats({ jetstream: false, configText: operator.configText });
    await writeFile(file("user.creds"), operator.creds);
    await writeContext("creds", { url: nats.url, creds: file("user.creds") });
    const server = `--server=${nats.url}`;
    await connects([server, `--creds=${file("user.creds")}`], {});
    await connects([], { NATS_URL: nats.url, NATS_CREDS: file("user.creds") });
    await connects(["--context=creds"], {});
    await writeFile(file("empty.creds"), "nothing");
    await fails(/^nex: error: Cannot use credentials file ".*": it holds no user JWT/, [], {
      NATS_URL: nats.url,
      NATS_CREDS: file("empty.creds"),
    });
    await fails(/^nex: error: flag '--creds': path 'nowhere' does not exist/, ["--creds=nowhere"], {});
  });

  test("with the file of an nkey", async () => {
    const user = createUser();
    await writeFile(file("user.nk"), `# mine\n${new TextDecoder().decode(user.getSeed())}\n`);
    await writeFile(file("other.nk"), new TextDecoder().decode(createUser().getSeed()));
    await using nats = await startNats({
      jetstream: false,
      configText: `authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`,
    });
    const server = `--server=${nats.url}`;
    await connects([server, `--nkey=${file("user.nk")}`], {});
    await connects([], { NATS_URL: nats.url, NATS_NKEY: file("user.nk") });
    await fails(REFUSED, [server, `--nkey=${file("other.nk")}`], {});
  });

  test("as a flag says it, whatever a context from the environment says", async () => {
    await using nats = await startNats({ jetstream: false });
    await writeContext("wrong", { url: "nats://127.0.0.1:1" });
    await connects([`--server=${nats.url}`], { NATS_CONTEXT: "wrong" });
    await connects([`-s=${nats.url}`, "--conn-name=mine"], {});
    await fails(/nobody listens there/, [], { NATS_URL: nats.url, NATS_CONTEXT: "wrong" });
  });
});

describe("the command line connects with TLS", { concurrency: 2, skip: await noOpenssl() }, () => {
  let authority: TestAuthority;
  let server: TestCertificate;
  let client: TestCertificate;
  before(async () => {
    authority = await makeAuthority();
    server = await authority.issue("server", ["IP:127.0.0.1"]);
    client = await authority.issue("client", ["DNS:client"]);
  });
  after(async () => authority?.[Symbol.asyncDispose]());
  const tls = (options = ""): string =>
    `tls: { cert_file: "${server.certFile}", key_file: "${server.keyFile}", ${options} }`;

  test("trusting --tlsca, and showing --tlscert with --tlskey", async () => {
    const { caFile } = authority;
    await using nats = await startNats({
      jetstream: false,
      configText: tls(`ca_file: "${caFile}", verify: true`),
    });
    await writeContext("tls", { url: nats.url, ca: caFile, cert: client.certFile, key: client.keyFile });
    const url = `--server=${nats.url}`;
    const certificate = [`--tlscert=${client.certFile}`, `--tlskey=${client.keyFile}`];
    await connects([url, `--tlsca=${caFile}`, ...certificate], {});
    await connects([], {
      NATS_URL: nats.url,
      NATS_CA: caFile,
      NATS_CERT: client.certFile,
      NATS_KEY: client.keyFile,
    });
    await connects(["--context=tls"], {});
    await fails(/not from an authority that we trust\nhint: .*--tlsca/, [url, ...certificate], {});
    await fails(/must be given together/, [url, `--tlscert=${client.certFile}`], {});
  });

  test("with the handshake first, when told so", async (t) => {
    await using plain = await startNats({ jetstream: false });
    if (compareVersions(plain.server.version, "2.10.0") < 0) return t.skip("needs nats-server 2.10");
    await using nats = await startNats({ jetstream: false, configText: tls("handshake_first: true") });
    await writeContext("first", { url: nats.url, ca: authority.caFile, tls_first: true });
    await connects([`--server=${nats.url}`, `--tlsca=${authority.caFile}`, "--tlsfirst"], {});
    await connects(["--context=first"], {});
    await fails(/Cannot connect .*\nhint: /, [`--server=${plain.url}`, "--tlsfirst"], {});
    await connects([`--server=${plain.url}`, "--no-tlsfirst"], {});
  });
});
