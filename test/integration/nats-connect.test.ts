import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createAccount, createUser } from "@nats-io/nkeys";
import { NexError } from "../../src/lib/errors.ts";
import type { ErrorCode } from "../../src/lib/errors.ts";
import { connectToNats } from "../../src/nats/connect.ts";
import type { ConnectOptions } from "../../src/nats/connect.ts";
import type { ConnectionSettings } from "../../src/nats/connection-settings.ts";
import { makeOperator } from "../support/nats-operator.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";
import { until } from "../support/until.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "nex-test-connect-"));
});
after(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function file(name: string, content: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

/** Connects, makes a round trip, closes. */
async function works(settings: ConnectionSettings, options?: ConnectOptions): Promise<void> {
  const connection = await connectToNats(settings, options);
  await connection.flush();
  await connection.close();
}

async function fails(
  code: ErrorCode,
  settings: ConnectionSettings,
  options?: ConnectOptions,
): Promise<NexError> {
  const error: unknown = await works(settings, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof NexError, `expected ${code}, got ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error;
}

describe("connectToNats without authentication", () => {
  it("takes URLs with and without scheme, lists, and names itself", async () => {
    await using nats = await startNats({ jetstream: false });
    await works({ servers: nats.url });
    await works({ servers: `127.0.0.1:${nats.port}` });
    await works({ servers: `localhost:${nats.port}` });
    await works({ servers: `127.0.0.1:1,nats://127.0.0.1:${nats.port}` });
    await works({ servers: `nats://needless:secret@127.0.0.1:${nats.port}` });
  });

  it("makes inboxes with the prefix it was given", async () => {
    await using nats = await startNats({ jetstream: false });
    const connection = await connectToNats({ servers: nats.url, inboxPrefix: "_MINE.x" });
    const received = Promise.withResolvers<string>();
    connection.subscribe("ask", {
      callback: (_error, message) => {
        received.resolve(message.reply ?? "");
        message.respond();
      },
    });
    await connection.request("ask");
    assert.match(await received.promise, /^_MINE\.x\./);
    await connection.close();
  });

  it("listens on IPv6 too", async (t) => {
    const probe = createServer();
    const listening = Promise.withResolvers<boolean>();
    probe.once("error", () => listening.resolve(false));
    probe.listen(0, "::1", () => listening.resolve(true));
    if (!(await listening.promise)) return t.skip("this host has no IPv6");
    probe.close();
    await using nats = await startNats({ jetstream: false, configText: 'host: "::1"' });
    assert.match(nats.url, /^nats:\/\/\[::1\]:/);
    await works({ servers: nats.url });
    await works({ servers: `[::1]:${nats.port}` });
  });

  it("reports a server without TLS when TLS is asked for", async () => {
    await using nats = await startNats({ jetstream: false });
    await fails("NATS_TLS_FAILED", { servers: `tls://127.0.0.1:${nats.port}` });
    await fails("NATS_TLS_FAILED", { servers: nats.url, tls: { first: true } });
  });
});

describe("connectToNats when nothing answers", () => {
  it("says that nobody listens and how to get a server, without secrets", async () => {
    const servers = "nats://joe:hunter2@127.0.0.1:1,127.0.0.1:2";
    const error = await fails("NATS_UNREACHABLE", { servers });
    assert.match(error.message, /"nats:\/\/127\.0\.0\.1:1,nats:\/\/127\.0\.0\.1:2": nobody listens there/);
    assert.doesNotMatch(error.message, /hunter2/);
    assert.match(error.hint ?? "", /--server.*nex node up --embedded-nats/);
  });

  it("says that a host name is unknown", async () => {
    const error = await fails("NATS_UNREACHABLE", { servers: "no-such-host.invalid" });
    assert.match(error.message, /host name/);
  });

  it("gives up on a server that is silent and leaves no socket behind", async (t) => {
    const sockets = new Set<{ closed: boolean }>();
    const silent = createServer((socket) => {
      sockets.add(socket);
      socket.resume();
      socket.on("error", () => {});
    });
    await listen(silent);
    t.after(() => silent.close());
    const servers = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    await fails("NATS_CONNECT_TIMEOUT", { servers, timeoutMs: 50 });
    await fails("NATS_CONNECT_TIMEOUT", { servers, timeoutMs: 50, tls: { first: true } });
    await fails("ABORTED", { servers }, { signal: AbortSignal.timeout(50) });
    await until(() => sockets.size === 3 && [...sockets].every(({ closed }) => closed));
  });

  it("says that a server of another kind does not speak NATS", async (t) => {
    const other = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await listen(other);
    t.after(() => other.close());
    const servers = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    const error = await fails("NATS_CONNECT_FAILED", { servers });
    assert.match(error.message, /does not speak NATS/);
  });

  it("does nothing when it is aborted already", async () => {
    await fails("ABORTED", { servers: "127.0.0.1:1" }, { signal: AbortSignal.abort() });
  });
});

describe("connectToNats with user and password", () => {
  let nats: TestNats;
  before(async () => {
    nats = await startNats({
      jetstream: false,
      configText: 'authorization: { user: joe, password: "p@ss/w%rd" }',
    });
  });
  after(async () => {
    await nats[Symbol.asyncDispose]();
  });

  it("accepts them from settings, from the URL and from a context", async () => {
    const { url: servers, port } = nats;
    await works({ servers, user: "joe", password: "p@ss/w%rd" });
    await works({ servers: `nats://joe:p%40ss%2Fw%25rd@127.0.0.1:${port}` });
    await works({ servers: `127.0.0.1:1,joe:p%40ss%2Fw%25rd@127.0.0.1:${port}` });
    const XDG_CONFIG_HOME = join(directory, "config");
    await mkdir(join(XDG_CONFIG_HOME, "nats", "context"), { recursive: true });
    const context = JSON.stringify({ url: servers, user: "joe", password: "p@ss/w%rd", nsc: "" });
    await file("config/nats/context/joe.json", context);
    await works({ servers: "127.0.0.1:1", context: "joe" }, { environment: { XDG_CONFIG_HOME } });
  });

  it("says that wrong ones are refused, and that none were given", async () => {
    const refused = await fails("NATS_AUTHORIZATION_FAILED", {
      servers: nats.url,
      user: "joe",
      password: "hunter2",
    });
    assert.match(refused.message, /credentials were refused/);
    assert.doesNotMatch(refused.message, /hunter2/);
    const none = await fails("NATS_AUTHORIZATION_FAILED", { servers: nats.url });
    assert.match(none.message, /none were given/);
    assert.match(none.hint ?? "", /--creds/);
  });
});

describe("connectToNats with a token", () => {
  it("accepts it as token, as user without password, and from the URL", async () => {
    await using nats = await startNats({ jetstream: false, configText: "authorization: { token: t0ken }" });
    await works({ servers: nats.url, token: "t0ken" });
    await works({ servers: nats.url, user: "t0ken" });
    await works({ servers: `t0ken@127.0.0.1:${nats.port}` });
    await fails("NATS_AUTHORIZATION_FAILED", { servers: nats.url, token: "other" });
  });
});

describe("connectToNats with an nkey file", () => {
  const user = createUser();
  const seed = new TextDecoder().decode(user.getSeed());

  it("accepts a seed with line ends and comments around it", async () => {
    await using nats = await startNats({
      jetstream: false,
      configText: `authorization: { users: [{ nkey: ${user.getPublicKey()} }] }`,
    });
    await works({ servers: nats.url, nkeyFile: await file("user.nk", `${seed}\n`) });
    await works({ servers: nats.url, nkeyFile: await file("commented.nk", `# joe\r\n  ${seed}  \r\n\r\n`) });
    const other = new TextDecoder().decode(createUser().getSeed());
    await fails("NATS_AUTHORIZATION_FAILED", { servers: nats.url, nkeyFile: await file("other.nk", other) });
  });

  it("refuses files that hold no user seed before it connects", async () => {
    const account = new TextDecoder().decode(createAccount().getSeed());
    const damaged = `${seed.slice(0, 20)}${seed[20] === "A" ? "B" : "A"}${seed.slice(21)}`;
    const invalid = async (nkeyFile: string, reason: RegExp): Promise<void> => {
      const error = await fails("NATS_CREDENTIALS_INVALID", { servers: "127.0.0.1:1", nkeyFile });
      assert.match(error.message, reason);
      assert.doesNotMatch(error.message, /S[UA][A-Z2-7]{10}/);
    };
    await invalid(join(directory, "missing.nk"), /missing\.nk": there is no such file/);
    await invalid(directory, /Cannot use nkey file/);
    await invalid(await file("empty.nk", ""), /holds no nkey seed/);
    await invalid(await file("account.nk", account), /not the one of a user/);
    await invalid(await file("damaged.nk", damaged), /damaged/);
  });
});

describe("connectToNats with a credentials file", () => {
  it("accepts it, also with foreign line ends, and a JWT with its seed", async () => {
    const { configText, creds, userJwt, userSeed } = makeOperator();
    await using nats = await startNats({ jetstream: false, configText });
    await works({ servers: nats.url, credsFile: await file("joe.creds", creds) });
    await works({ servers: nats.url, credsFile: await file("crlf.creds", creds.replaceAll("\n", "\r\n")) });
    await works({ servers: nats.url, userJwt, userSeed });
    const { creds: others } = makeOperator();
    await fails("NATS_AUTHORIZATION_FAILED", {
      servers: nats.url,
      credsFile: await file("others.creds", others),
    });
  });

  it("says that expired ones are refused", async () => {
    const { configText, creds } = makeOperator({ expires: Math.floor(Date.now() / 1000) - 60 });
    await using nats = await startNats({ jetstream: false, configText });
    await fails("NATS_AUTHORIZATION_FAILED", {
      servers: nats.url,
      credsFile: await file("old.creds", creds),
    });
  });

  it("refuses files without JWT or seed before it connects", async () => {
    const { creds, userSeed } = makeOperator();
    const servers = "127.0.0.1:1";
    const seedOnly = await fails("NATS_CREDENTIALS_INVALID", {
      servers,
      credsFile: await file("a.creds", userSeed),
    });
    assert.match(seedOnly.message, /no user JWT/);
    const jwtOnly = await file("b.creds", creds.slice(0, creds.indexOf("*")));
    assert.match(
      (await fails("NATS_CREDENTIALS_INVALID", { servers, credsFile: jwtOnly })).message,
      /no nkey seed/,
    );
    await fails("NATS_CREDENTIALS_INVALID", { servers, userJwt: "not a jwt" });
  });
});

describe("connectToNats for a daemon", () => {
  it("comes back after a restart of the server, with renewed credentials", async () => {
    const [first, second] = [makeOperator(), makeOperator()];
    const credsFile = await file("daemon.creds", first.creds);
    await using nats = await startNats({ jetstream: false, configText: first.configText });
    const connection = await connectToNats({ servers: nats.url, credsFile }, { forever: true });
    await nats.stop();
    await writeFile(credsFile, second.creds);
    await using _next = await startNats({ jetstream: false, port: nats.port, configText: second.configText });
    await until(() => connection.rtt());
    await connection.close();
  });
});

async function listen(server: ReturnType<typeof createServer>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
}
