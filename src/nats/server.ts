/**
 * A nats-server of our own, as a child process.
 *
 * S1 resolves once clients can connect; when it rejects, no process and no file is left
 * S2 dies with us, also after kill -9; what a killed owner left in the temporary directory goes at the next start
 * S3 stopped by SIGINT: versions 2.9 and 2.10 exit with 1 on SIGTERM
 * S4 its temporary files are gone when `exit` has resolved; a store directory that was handed in is never touched
 */
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { NexError } from "../lib/errors.ts";
import { silentLogger } from "../lib/logger.ts";
import type { Logger } from "../lib/logger.ts";
import { startProcess } from "../lib/managed-process.ts";
import type { ManagedProcess, ProcessExit } from "../lib/managed-process.ts";
import { throwIfAborted } from "../lib/run-tool.ts";
import { natsServerConfiguration } from "./server-configuration.ts";
import { readServerLog } from "./server-log.ts";
import type { ServerLog } from "./server-log.ts";
import { createReload } from "./server-reload.ts";
import { natsServerVersion } from "./server-version.ts";
import { makeTemporaryDirectory } from "../lib/temporary-directory.ts";

/** How to start a nats-server. */
export interface NatsServerSpec {
  /** Path of the binary, from `findNatsServer`. */
  readonly binary: string;
  /** Its version, from `natsServerVersion`. Default: it is asked. */
  readonly version?: string;
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string;
  /** Default -1: a free one. */
  readonly port?: number;
  /**
   * Turns JetStream on and says where it stores: the path of a directory of this server alone (servers do not lock
   * it), or `temporary` for one that goes with the server. Default: no JetStream.
   */
  readonly storeDirectory?: string;
  /** Name of the server; white space becomes `-`. Default: the server makes one up. */
  readonly serverName?: string;
  /** Further configuration in the server's own format; host, port, store and name are given above. */
  readonly configText?: string;
  /** Gets the server's log: its notices at debug level. */
  readonly logger?: Logger;
  /** Aborts the start; has no meaning afterwards. */
  readonly signal?: AbortSignal | undefined;
}

/** A running nats-server. */
export interface NatsServer extends AsyncDisposable {
  /** Where clients on this machine connect, such as `nats://127.0.0.1:4222`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Such as `2.12.15`. */
  readonly version: string;
  /** Why it ended; never rejects. */
  readonly exit: Promise<ProcessExit>;
  /**
   * Replaces `configText` (R1 to R4 in `server-reload.ts`); resolves once it is in effect.
   *
   * @throws {NexError} `NATS_SERVER_RELOAD_FAILED`; the configuration is then what it was
   */
  reload(configText: string): Promise<void>;
  /** Ends it: SIGINT, `graceMs` (default 5000) to leave, then SIGKILL. Idempotent. */
  stop(options?: { readonly graceMs?: number }): Promise<ProcessExit>;
}

/** Prefix of the directories made below the system's temporary directory. */
const SERVER_DIRECTORY_PREFIX = "nex-nats";

const READY_LIMIT_MS = 15_000;
const READY_POLL_MS = 5;

/**
 * Starts a nats-server (S1 to S4).
 *
 * @throws {NexError} `NATS_PORT_TAKEN`, `NATS_SERVER_START_FAILED` (with the server's last lines), `NATS_SERVER_UNUSABLE`, `ABORTED`
 */
export async function startNatsServer(spec: NatsServerSpec): Promise<NatsServer> {
  throwIfAborted(spec.signal);
  const version = spec.version ?? (await natsServerVersion(spec.binary, spec.signal));
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(
    await makeTemporaryDirectory({ parent: tmpdir(), prefix: SERVER_DIRECTORY_PREFIX }),
  );
  const configurationFile = join(directory.path, "nats-server.conf");
  await writeFile(configurationFile, natsServerConfiguration(spec, directory.path), { mode: 0o600 });
  const child = stack.use(
    await startProcess({
      program: spec.binary,
      argv: ["--config", configurationFile, "--ports_file_dir", directory.path],
      environment: {},
      workingDirectory: directory.path,
      stdio: ["ignore", "ignore", "pipe"],
      stopSignal: "SIGINT",
    }),
  );
  const log = readServerLog(child.child.stderr, spec.logger ?? silentLogger);
  const url = await ready({ spec, child, log, directory: directory.path });
  const reload = createReload({ file: configurationFile, child, log });
  const resources = stack.move();
  const exit = child.exit.then(async (reason) => {
    await resources.disposeAsync();
    return reason;
  });
  const stop: NatsServer["stop"] = async (options) => {
    await child.stop(options);
    return exit;
  };
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid,
    version,
    exit,
    reload: async (configText) => reload(natsServerConfiguration({ ...spec, configText }, directory.path)),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}

interface Starting {
  readonly spec: NatsServerSpec;
  readonly child: ManagedProcess;
  readonly log: ServerLog;
  readonly directory: string;
}

/** The URL from the ports file, which the server writes once it listens. */
async function ready(starting: Starting): Promise<string> {
  const { spec, child, log, directory } = starting;
  const ended = new AbortController();
  const exit = child.exit.then(async (): Promise<never> => {
    await log.finished;
    throw startError(spec, log);
  });
  const poll = async (): Promise<string> => {
    const limit = performance.now() + READY_LIMIT_MS;
    while (performance.now() < limit && !ended.signal.aborted) {
      throwIfAborted(spec.signal);
      const url = await listenUrl(join(directory, `${programName(spec.binary)}_${child.pid}.ports`));
      if (url !== undefined) return url;
      await delay(READY_POLL_MS);
    }
    throw startFailed(`it was not ready within ${READY_LIMIT_MS / 1000} s${quoted(log)}`);
  };
  try {
    return await Promise.race([exit, poll()]);
  } finally {
    ended.abort();
  }
}

/** Undefined while the file is missing or half written. */
async function listenUrl(portsFile: string): Promise<string | undefined> {
  try {
    const { nats } = JSON.parse(await readFile(portsFile, "utf8")) as { readonly nats?: readonly string[] };
    return nats?.find((url) => url.includes("//127.0.0.1:")) ?? nats?.[0];
  } catch {
    return undefined;
  }
}

function programName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function startError(spec: NatsServerSpec, log: ServerLog): NexError {
  if (/address already in use/i.test(log.lastLines())) {
    const address =
      /"listen tcp (\S+): bind/.exec(log.lastLines())?.[1] ??
      `${spec.host ?? "127.0.0.1"}:${spec.port ?? -1}`;
    return new NexError({
      code: "NATS_PORT_TAKEN",
      message: `Cannot start nats-server: another program listens on "${address}"`,
      hint: "Stop that program, choose another port, or connect to the server that runs there with --server",
    });
  }
  return startFailed(`it ended at once${quoted(log)}`);
}

function startFailed(reason: string): NexError {
  return new NexError({ code: "NATS_SERVER_START_FAILED", message: `Cannot start nats-server: ${reason}` });
}

function quoted(log: ServerLog): string {
  return log.lastLines() === "" ? "" : `: ${log.lastLines()}`;
}
