import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createLogger } from "../../src/lib/logger.ts";
import type { LogEntry } from "../../src/lib/logger.ts";
import { startNatsServer } from "../../src/nats/server.ts";
import type { NatsServer, NatsServerSpec } from "../../src/nats/server.ts";
import { startNats, testNatsServer } from "../support/start-nats.ts";
import { until } from "../support/until.ts";

let binary = "";
let directory = "";
let systemTemporary: string | undefined;
before(async () => {
  binary = await testNatsServer();
  directory = await mkdtemp(join(tmpdir(), "nex-test-server-"));
  systemTemporary = process.env["TMPDIR"];
  process.env["TMPDIR"] = directory;
});
after(async () => {
  if (systemTemporary === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = systemTemporary;
  await rm(directory, { recursive: true, force: true });
});

function start(spec: Partial<NatsServerSpec> = {}): Promise<NatsServer> {
  return startNatsServer({ binary, ...spec });
}

/** What servers have put into the temporary directory. */
async function leftOvers(): Promise<readonly string[]> {
  return (await readdir(directory)).filter((name) => name.startsWith("nex-nats-"));
}

describe("startNatsServer", () => {
  it("gives the port, process, version and URL of a server that accepts connections", async () => {
    await using server = await start({ serverName: "my server" });
    assert.ok(server.port > 0);
    assert.equal(server.url, `nats://127.0.0.1:${server.port}`);
    const connection = await connect({ servers: server.url });
    assert.equal(connection.info?.version, server.version);
    assert.equal(connection.info?.server_name, "my-server");
    assert.equal(connection.info?.jetstream ?? false, false);
    await connection.close();
    assert.ok(process.kill(server.pid, 0));
  });

  it("removes everything of a temporary store when it stops", async () => {
    const server = await start({ storeDirectory: "temporary" });
    const connection = await connect({ servers: server.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: "S", subjects: ["s"] });
    await connection.close();
    assert.equal((await leftOvers()).length, 1);
    assert.deepEqual(await server.stop(), { kind: "stopped", forced: false });
    assert.deepEqual(await server.exit, { kind: "stopped", forced: false });
    assert.deepEqual(await leftOvers(), []);
    assert.throws(() => process.kill(server.pid, 0));
    await server.stop();
    await server[Symbol.asyncDispose]();
  });

  it("keeps a store directory of its owner's", async () => {
    const storeDirectory = join(directory, 'a "quoted" store');
    for (const expected of [0, 1]) {
      await using server = await start({ storeDirectory });
      const connection = await connect({ servers: server.url });
      const manager = await jetstreamManager(connection);
      assert.equal((await manager.streams.list().next()).length, expected);
      await manager.streams.add({ name: "S", subjects: ["s"] });
      await connection.close();
    }
  });

  it("listens on all interfaces when asked to, with a URL for this machine", async () => {
    await using server = await start({ host: "0.0.0.0" });
    assert.equal(server.url, `nats://127.0.0.1:${server.port}`);
  });

  it("runs servers side by side", async () => {
    const servers = await Promise.all([1, 2, 3].map(() => start({ storeDirectory: "temporary" })));
    assert.equal(new Set(servers.map(({ port }) => port)).size, 3);
    await Promise.all(servers.map((server) => server.stop()));
    assert.deepEqual(await leftOvers(), []);
  });

  it("hands the server's log on", async () => {
    const entries: LogEntry[] = [];
    await using _server = await start({ logger: createLogger((entry) => entries.push(entry)) });
    await until(() => entries.some(({ fields }) => fields["line"] === "Server is ready"));
    assert.ok(entries.every(({ message, level }) => message === "nats-server" && level === "debug"));
  });
});

describe("NatsServer.reload", () => {
  const users = (...names: readonly string[]): string =>
    `authorization { users: [ ${names.map((name) => `{ user: ${name}, password: ${name} }`).join("\n")} ] }`;
  const canConnect = async (server: NatsServer, name: string): Promise<boolean> =>
    connect({ servers: server.url, user: name, pass: name }).then(
      async (connection) => {
        await connection.close();
        return true;
      },
      () => false,
    );

  it("is in effect when it resolves, also when several are asked for at once", async () => {
    await using server = await start({ configText: users("a") });
    for (let round = 0; round < 10; round += 1) {
      await server.reload(users("a", `b${round}`));
      assert.equal(await canConnect(server, `b${round}`), true);
    }
    await Promise.all([server.reload(users("a", "c")), server.reload(users("a", "d"))]);
    assert.deepEqual([await canConnect(server, "c"), await canConnect(server, "d")], [false, true]);
  });

  it("keeps the old configuration, in the file as well, when the server refuses the new one", async () => {
    await using server = await start({ configText: users("a") });
    await assert.rejects(server.reload("no_such_key: 1"), {
      code: "NATS_SERVER_RELOAD_FAILED",
      message: /no_such_key/,
    });
    assert.equal(await canConnect(server, "a"), true);
    const [made = ""] = await leftOvers();
    assert.match(await readFile(join(directory, made, "nats-server.conf"), "utf8"), /user: a/);
    await server.reload(users("b"));
    assert.deepEqual([await canConnect(server, "a"), await canConnect(server, "b")], [false, true]);
  });

  it("fails when the server has died", async () => {
    await using server = await start({ configText: users("a") });
    process.kill(server.pid, "SIGKILL");
    await assert.rejects(server.reload(users("b")), { code: "NATS_SERVER_RELOAD_FAILED" });
  });
});

describe("startNatsServer when the server dies", () => {
  it("tells the signal and removes its files", async () => {
    const server = await start({ storeDirectory: "temporary" });
    process.kill(server.pid, "SIGKILL");
    assert.deepEqual(await server.exit, { kind: "signaled", signal: "SIGKILL" });
    assert.deepEqual(await leftOvers(), []);
    assert.deepEqual(await server.stop(), { kind: "signaled", signal: "SIGKILL" });
  });

  it("kills a server that does not leave in time", async () => {
    const server = await start();
    process.kill(server.pid, "SIGSTOP");
    assert.deepEqual(await server.stop({ graceMs: 1 }), { kind: "stopped", forced: true });
    assert.deepEqual(await leftOvers(), []);
  });
});

describe("startNatsServer when the owner is killed", () => {
  const skip = process.platform !== "linux" && "only Linux ends a child with its parent";

  it("leaves no server, and the next start removes its files", { skip }, async () => {
    const argv = [join(import.meta.dirname, "fixtures", "nats-owner.ts"), binary];
    const owner = spawn(process.execPath, argv, {
      env: { ...process.env, TMPDIR: directory },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(createInterface({ input: owner.stdout }), "line")) as [string];
    const { pid, port } = JSON.parse(line) as { readonly pid: number; readonly port: number };
    const [abandoned] = await leftOvers();
    assert.ok(abandoned);
    owner.kill("SIGKILL");
    await once(owner, "exit");
    await until(() => !isRunning(pid), { message: "the server outlived its owner" });
    await using server = await start({ port });
    assert.equal(server.port, port);
    assert.equal((await leftOvers()).includes(abandoned), false);
  });
});

describe("startNatsServer that cannot start", () => {
  it("says that the port is taken", async (t) => {
    const other = createServer();
    other.listen(0, "127.0.0.1");
    t.after(() => other.close());
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    await assert.rejects(start({ port }), {
      code: "NATS_PORT_TAKEN",
      message: new RegExp(`"127\\.0\\.0\\.1:${port}"`),
    });
    assert.deepEqual(await leftOvers(), []);
  });

  it("quotes the server about a configuration it does not understand", async () => {
    await assert.rejects(start({ configText: "no_such_key: 1" }), {
      code: "NATS_SERVER_START_FAILED",
      message: /no_such_key/,
    });
    assert.deepEqual(await leftOvers(), []);
  });

  it("refuses files that are no nats-server", async () => {
    const script = join(directory, "nats-server");
    await writeFile(script, "#!/bin/sh\necho hello\nexec sleep 60\n", { mode: 0o755 });
    await assert.rejects(start({ binary: join(directory, "missing") }), { code: "NATS_SERVER_UNUSABLE" });
    await assert.rejects(start({ binary: directory }), { code: "NATS_SERVER_UNUSABLE" });
    await assert.rejects(start({ binary: "/bin/true" }), { code: "NATS_SERVER_UNUSABLE" });
    assert.deepEqual(await leftOvers(), []);
  });

  it("leaves nothing behind when it is aborted", async () => {
    const abort = new AbortController();
    const starting = start({ signal: abort.signal, storeDirectory: "temporary" });
    abort.abort();
    await assert.rejects(starting, { code: "ABORTED" });
    await assert.rejects(start({ signal: abort.signal }), { code: "ABORTED" });
    assert.deepEqual(await leftOvers(), []);
  });
});

describe("startNats", () => {
  it("restarts on the same port with the same streams", async () => {
    await using nats = await startNats();
    const manager = await jetstreamManager(await nats.connect());
    await manager.streams.add({ name: "S", subjects: ["s"] });
    await nats.stop();
    assert.throws(() => nats.server);
    await nats.start();
    assert.equal(nats.server.url, nats.url);
    const again = await jetstreamManager(await nats.connect());
    assert.equal((await again.streams.info("S")).config.name, "S");
  });
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
