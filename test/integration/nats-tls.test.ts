import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { NexError } from "../../src/lib/errors.ts";
import type { ErrorCode } from "../../src/lib/errors.ts";
import { connectToNats } from "../../src/nats/connect.ts";
import type { ConnectionSettings, TlsSettings } from "../../src/nats/connection-settings.ts";
import { compareVersions } from "../../src/nats/server-version.ts";
import { makeAuthority, noOpenssl } from "../support/certificates.ts";
import type { TestAuthority, TestCertificate } from "../support/certificates.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";

async function works(settings: ConnectionSettings): Promise<void> {
  const connection = await connectToNats(settings);
  await connection.flush();
  await connection.close();
}

async function fails(code: ErrorCode, settings: ConnectionSettings): Promise<NexError> {
  const error: unknown = await works(settings).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof NexError, `expected ${code}, got ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error;
}

describe("connectToNats with TLS", { skip: await noOpenssl() }, () => {
  let authority: TestAuthority;
  let server: TestCertificate;
  let client: TestCertificate;
  let caFile = "";
  before(async () => {
    authority = await makeAuthority();
    ({ caFile } = authority);
    server = await authority.issue("server", ["IP:127.0.0.1", "DNS:localhost"]);
    client = await authority.issue("client", ["DNS:client"]);
  });
  after(async () => {
    await authority[Symbol.asyncDispose]();
  });

  function start(options = "", { certFile, keyFile }: TestCertificate = server): Promise<TestNats> {
    const tls = `tls: { cert_file: "${certFile}", key_file: "${keyFile}", ${options} }`;
    return startNats({ jetstream: false, configText: tls });
  }

  it("trusts the authority it is given, by address and by name, with and without tls://", async () => {
    await using nats = await start();
    await works({ servers: `tls://127.0.0.1:${nats.port}`, tls: { caFile } });
    await works({ servers: `tls://localhost:${nats.port}`, tls: { caFile } });
    await works({ servers: nats.url, tls: { caFile } });
    await works({ servers: `tls://127.0.0.1:1,127.0.0.1:${nats.port}`, tls: { caFile } });
  });

  it("trusts no authority it was not given", async () => {
    await using nats = await start();
    await using other = await makeAuthority();
    const message = /not from an authority that we trust/;
    for (const settings of [{}, { tls: { caFile: other.caFile } }]) {
      const error = await fails("NATS_TLS_FAILED", { servers: `tls://127.0.0.1:${nats.port}`, ...settings });
      assert.match(error.message, message);
      assert.match(error.hint ?? "", /--tlsca/);
    }
  });

  it("refuses a certificate for another host", async () => {
    const forLocalhost = await authority.issue("localhost-only", ["DNS:localhost"]);
    await using nats = await start("", forLocalhost);
    await works({ servers: `tls://localhost:${nats.port}`, tls: { caFile } });
    const error = await fails("NATS_TLS_FAILED", {
      servers: `tls://127.0.0.1:${nats.port}`,
      tls: { caFile },
    });
    assert.match(error.message, /its certificate is for another host/);
    const forAddress = await authority.issue("address-only", ["IP:127.0.0.1"]);
    await using byAddress = await start("", forAddress);
    await works({ servers: `tls://127.0.0.1:${byAddress.port}`, tls: { caFile } });
    await fails("NATS_TLS_FAILED", { servers: `tls://localhost:${byAddress.port}`, tls: { caFile } });
  });

  it("shows a client certificate where the server wants one", async () => {
    await using nats = await start(`ca_file: "${caFile}", verify: true`);
    await works({ servers: nats.url, tls: { caFile, ...client } });
    const error = await fails("NATS_TLS_FAILED", { servers: nats.url, tls: { caFile }, timeoutMs: 300 });
    assert.match(error.message, /client certificate/);
    const other = await makeAuthority();
    const stranger = await other.issue("stranger", ["DNS:client"]);
    await fails("NATS_TLS_FAILED", { servers: nats.url, tls: { caFile, ...stranger }, timeoutMs: 300 });
    await other[Symbol.asyncDispose]();
  });

  it("makes the handshake first where the server wants it", async (t) => {
    await using plain = await start();
    if (compareVersions(plain.server.version, "2.10.0") < 0) return t.skip("needs nats-server 2.10");
    await fails("NATS_TLS_FAILED", { servers: plain.url, tls: { caFile, first: true } });
    await using nats = await start("handshake_first: true");
    await works({ servers: `tls://127.0.0.1:${nats.port}`, tls: { caFile, first: true } });
    await works({ servers: `localhost:${nats.port}`, tls: { caFile, first: true } });
    const error = await fails("NATS_CONNECT_TIMEOUT", { servers: nats.url, tls: { caFile }, timeoutMs: 100 });
    assert.match(error.hint ?? "", /--tlsfirst/);
  });

  it("refuses files that cannot be used before it connects", async () => {
    const invalid = async (tls: TlsSettings, reason: RegExp): Promise<void> => {
      const error = await fails("NATS_CREDENTIALS_INVALID", { servers: "tls://127.0.0.1:1", tls });
      assert.match(error.message, reason);
    };
    const garbage = join(authority.directory, "garbage.pem");
    await writeFile(garbage, "not PEM");
    await invalid({ caFile: join(authority.directory, "missing.pem") }, /there is no such file/);
    await invalid({ caFile: garbage }, /holds no certificate in PEM format/);
    await invalid({ certFile: client.certFile }, /must be given together/);
    await invalid({ keyFile: client.keyFile }, /must be given together/);
    await invalid({ certFile: garbage, keyFile: client.keyFile }, /Cannot use TLS certificate/);
    await invalid({ certFile: client.certFile, keyFile: server.keyFile }, /Cannot use TLS certificate/);
  });
});
