import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/transport-node";
import { createDeployer } from "../test/support/deployer.ts";
import type { Deployer } from "../test/support/deployer.ts";
import { startNex } from "../test/support/run-nex.ts";
import { startNats } from "../test/support/start-nats.ts";
import type { TestNats } from "../test/support/start-nats.ts";

/** `nex node up` in a process of its own, as users run it, on a NATS server that the bench shares with it. */
export interface OwnNode extends AsyncDisposable, Deployer {
  readonly nats: TestNats;
  readonly nodeId: string;
  readonly pid: number;
  readonly connection: NatsConnection;
}

export async function startOwnNode(configuration: object): Promise<OwnNode> {
  await using stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats());
  const directory = await mkdtemp(join(tmpdir(), "nex-bench-node-"));
  stack.defer(async () => rm(directory, { recursive: true, force: true }));
  const config = join(directory, "config.json");
  const settings = { no_sandbox: true, pid_filepath: join(directory, "node.pid"), ...configuration };
  await writeFile(config, JSON.stringify(settings));
  const nex = stack.use(await startNex(["node", "up", `--config=${config}`, `--server=${nats.url}`]));
  stack.defer(async () => {
    nex.signal("SIGINT");
    await nex.exit;
  });
  const [, nodeId = ""] = await nex.waitForLine(/awaiting commands id=(\w+)/);
  const connection = await nats.connect();
  const resources = stack.move();
  return {
    ...createDeployer({ connection, nodeId }),
    nats,
    nodeId,
    pid: nex.pid,
    connection,
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}
