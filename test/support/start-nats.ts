import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { connect } from "@nats-io/transport-node";
import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import { findNatsServer } from "../../src/nats/server-binary.ts";
import { startNatsServer } from "../../src/nats/server.ts";
import type { NatsServer } from "../../src/nats/server.ts";

/** How the server of a test is set up. */
export interface TestNatsOptions {
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string;
  /** Default -1: a free one, kept over `stop` and `start`. */
  readonly port?: number;
  /** Further configuration in the server's own format. */
  readonly configText?: string;
  /** Default true, with a store that lasts over `stop` and `start`. */
  readonly jetstream?: boolean;
}

/** A nats-server for one test. */
export interface TestNats extends AsyncDisposable {
  /** Such as `nats://127.0.0.1:4222`; the same after a restart. */
  readonly url: string;
  readonly port: number;
  /** The running server; throws while it is stopped. */
  readonly server: NatsServer;
  /** A new connection, closed when the server is disposed. */
  connect(options?: ConnectionOptions): Promise<NatsConnection>;
  /** Stops the server; its port and store stay reserved for `start`. */
  stop(): Promise<void>;
  /** Starts it again on the same port and store. */
  start(): Promise<void>;
}

/** Starts a nats-server of this test's own. Throws a clear error when the machine has none. */
export async function startNats(options: TestNatsOptions = {}): Promise<TestNats> {
  await using stack = new AsyncDisposableStack();
  const binary = await testNatsServer();
  const store = await mkdtemp(join(tmpdir(), "nex-test-nats-"));
  stack.defer(() => rm(store, { recursive: true, force: true, maxRetries: 5 }));
  const launch = (port: number): Promise<NatsServer> =>
    startNatsServer({
      binary,
      port,
      ...(options.host === undefined ? {} : { host: options.host }),
      ...(options.jetstream === false ? {} : { storeDirectory: store }),
      ...(options.configText === undefined ? {} : { configText: options.configText }),
    });
  let server: NatsServer | undefined = await launch(options.port ?? -1);
  const { url, port } = server;
  stack.defer(async () => {
    await server?.stop();
  });
  const connections: NatsConnection[] = [];
  stack.defer(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
  });
  const resources = stack.move();
  return {
    url,
    port,
    get server() {
      if (server === undefined) throw new Error("The nats-server of this test is stopped");
      return server;
    },
    async connect(connectionOptions) {
      const connection = await connect({ servers: url, ...connectionOptions });
      connections.push(connection);
      return connection;
    },
    async stop() {
      await server?.stop();
      server = undefined;
    },
    async start() {
      server ??= await launch(port);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** The path of the nats-server that tests run against: NEX_NATS_SERVER, the PATH, or what set-up put into `.cache`. */
export async function testNatsServer(): Promise<string> {
  found ??= findNatsServer({
    setting: process.env["NEX_NATS_SERVER"],
    searchPath: (process.env["PATH"] ?? "").split(delimiter),
    cacheDir: join(import.meta.dirname, "..", "..", ".cache", "nats-server"),
    environment: {},
    sources: ["path", "cache"],
  });
  try {
    return (await found).path;
  } catch (cause) {
    throw new Error("This test needs a nats-server: run `node scripts/ensure-nats-server.ts` first", {
      cause,
    });
  }
}

let found: ReturnType<typeof findNatsServer> | undefined;
