// Every example of every command, run in a shell against a real node, and once with --json, whose results have the types
// that docs/json-output.md gives.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { Objm } from "@nats-io/obj";
import { commandTable } from "../../src/cli/command-table.ts";
import { createControlClient } from "../../src/control-api/index.ts";
import { NEX, runNex } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const root = join(import.meta.dirname, "..", "..");

/** Examples that cannot run beside other tests, with the reason. */
const NOT_RUN: readonly (readonly [example: RegExp, reason: string])[] = [
  [/^node up/, "listens on port 4222 or needs virtual machines; test/e2e starts nodes"],
  [/^rootfs/, "writes images of 170 MB; test/integration/rootfs.test.ts builds some"],
];

/** Commands that leave the node unable to run the others' examples; they come last. */
const LAST = ["stop", "lameduck"];

const commands = await Promise.all(
  commandTable
    .flatMap((entry) =>
      entry.kind === "command"
        ? [{ name: entry.name, entry }]
        : entry.entries.map((inner) => ({ name: `${entry.name} ${inner.name}`, entry: inner })),
    )
    .sort((a, b) => LAST.indexOf(a.name) - LAST.indexOf(b.name))
    .map(async ({ name, entry }) => ({ name, command: await entry.load() })),
);

describe("the examples of the commands", { concurrency: false }, () => {
  let place: ExamplePlace;
  const results = new Map<string, string[]>();
  before(async () => {
    place = await startPlace();
  });
  after(async () => place?.[Symbol.asyncDispose]());

  for (const { name, command } of commands) {
    // A second "init" in the same folder overwrites nothing, but its last example does.
    const first = command.examples.at(name === "init" ? -1 : 0);
    const printing = command.json === undefined || first === undefined ? [] : [withJson(first)];
    for (const line of [...command.examples, ...printing]) {
      const reason = NOT_RUN.find(([pattern]) => pattern.test(line))?.[1];
      test(`nex ${line}`, reason === undefined ? {} : { skip: reason }, async () => {
        const { code, stdout, stderr } = await place.run(name, line);
        assert.equal(code, 0, `${stdout}${stderr}`);
        if (!line.includes("--json")) return;
        results.set(name, [...(results.get(name) ?? []), ...documents(stdout)]);
      });
    }
  }

  test("every command has an example and a page in docs/commands.md, which is up to date", async () => {
    assert.deepEqual(
      commands.filter(({ command }) => command.examples.length === 0).map(({ name }) => name),
      [],
    );
    const script = join(root, "scripts", "command-docs.ts");
    await promisify(execFile)(process.execPath, [script, "--check"]);
  });

  test("--json prints what docs/json-output.md says", async () => {
    const page = await readFile(join(root, "docs", "json-output.md"), "utf8");
    const types = [...page.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, block]) => block).join("\n");
    const printing = commands.filter(({ command }) => command.json !== undefined).map(({ name }) => name);
    assert.deepEqual(
      [...page.matchAll(/^## nex (.+)$/gm)].map(([, name = ""]) => name).sort(),
      printing.toSorted(),
    );
    const values = printing.flatMap((name) => {
      if (NOT_RUN.some(([pattern]) => pattern.test(name))) return [];
      const found = results.get(name) ?? [];
      assert.ok(found.length > 0, `nex ${name} has printed no JSON`);
      return found.map((json, index) => {
        const type = name.replaceAll(/(?:^| )([a-z])/g, (_, letter: string) => letter.toUpperCase());
        return `export const ${type.toLowerCase()}${index}: ${type} = ${json};`;
      });
    });
    const file = join(place.home, "results.ts");
    await writeFile(file, `${types}\n${values.join("\n")}\n`);
    const argv = [
      "--noEmit",
      "--strict",
      "--exactOptionalPropertyTypes",
      "--types",
      "",
      "--ignoreConfig",
      file,
    ];
    const failure = await promisify(execFile)(join(root, "node_modules", ".bin", "tsc"), argv, {
      cwd: place.home,
    }).catch((error: { readonly stdout: string }) => error.stdout);
    assert.equal(typeof failure === "string" ? failure : "", "");
  });
});

interface ExampleEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface ExamplePlace extends AsyncDisposable {
  readonly home: string;
  run(command: string, line: string): Promise<ExampleEnd>;
}

/** Commands that run until Ctrl-C, or until something happens. */
function isFollowing(command: string, line: string): boolean {
  return ["logs", "events", "sub"].includes(command) || line.includes("--watch");
}

async function startPlace(): Promise<ExamplePlace> {
  await using stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats());
  const node = stack.use(
    await startTestNode({ nats, configuration: { tags: { node_name: "quiet-otter" } } }),
  );
  const home = await mkdtemp(join(tmpdir(), "nex-test-examples-"));
  stack.defer(async () => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  const env = {
    PATH: `${dirname(NEX)}:${process.env["PATH"]}`,
    HOME: home,
    NATS_URL: nats.url,
    NATS_TIMEOUT: "1500ms",
    NEX_NATS_SERVER: process.env["NEX_NATS_SERVER"],
  };
  await writeFiles(home, nats.url);
  await answer(node);
  const deployEcho = async (): Promise<void> => {
    const { code, stderr } = await runNex(["devrun", "echo.js", "--trigger_subject=js.echo"], {
      cwd: home,
      env,
    });
    assert.equal(code, 0, stderr);
  };
  await deployEcho();
  for (const [from, to] of [
    ["issuer.nk", "issuer.nk"],
    ["publisher.xk", "publisher.xk"],
  ] as const) {
    await writeFile(join(home, to), await readFile(join(home, ".nex", from)));
  }
  const store = await new Objm(node.connection).create("BUCKET");
  await store.putBlob({ name: "echoservice" }, new TextEncoder().encode(SERVICE));
  const resources = stack.move();
  return {
    home,
    run: async (command, line) => {
      if (command === "stop") await deployEcho();
      const [echo] = (await node.client.nodeInfo(node.node.nodeId)).machines.filter(
        ({ workload }) => workload.name === "echojs",
      );
      const real = line
        .replaceAll("NBXHUHG5", node.node.nodeId.slice(0, 8))
        .replaceAll("cpv0k3752omq9k2v7g10", echo?.id ?? "no-echo");
      return runShell(`nex ${real}`, {
        cwd: home,
        // A stop waits for the end of an agent.
        env: command === "stop" ? { ...env, NATS_TIMEOUT: "5s" } : env,
        ...(isFollowing(command, line) ? { stimulate: async () => stimulate(node) } : {}),
      });
    },
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}

const SERVICE = "#!/bin/sh\nexec sleep 1000\n";

async function writeFiles(home: string, url: string): Promise<void> {
  await writeFile(
    join(home, "echo.js"),
    "(subject, payload) => {\n  console.log(subject);\n  return payload;\n}\n",
  );
  await writeFile(
    join(home, "hello.ts"),
    "export default (_subject: string, payload: Uint8Array): Uint8Array => payload;\n",
  );
  await writeFile(join(home, "echoservice"), SERVICE, { mode: 0o755 });
  await writeFile(join(home, "order.json"), "{}");
  const contexts = join(home, ".config", "nats", "context");
  await mkdir(contexts, { recursive: true });
  const context = { description: "The servers that count", url, user: "", password: "" };
  await writeFile(join(contexts, "production.json"), JSON.stringify(context));
}

/** Somebody who answers on the subject of the service examples. */
async function answer(node: TestNode): Promise<void> {
  node.connection.subscribe("svc.echo", { callback: (_, message) => void message.respond(message.data) });
  await node.connection.flush();
}

/** Makes something happen that can be followed: a message, a log entry, events in two namespaces. */
async function stimulate(node: TestNode): Promise<void> {
  const { connection, issuer, publisher } = node;
  connection.publish("orders.new", "one coffee");
  await connection.request("js.echo", "x", { timeout: 2000 }).catch(() => {});
  const client = createControlClient({ connection, namespace: "shop", timeoutMs: 10_000 });
  const nodeId = node.node.nodeId;
  const artifact = "(subject, payload) => payload";
  const { id } = await client.deploy({
    nodeId,
    workloadName: "shop-echo",
    workloadType: "v8",
    triggerSubjects: ["shop.echo"],
    location: await node.upload("shop-echo", artifact),
    hash: "",
    issuer,
    publisher,
  });
  await client.stop({ nodeId, workloadId: id, workloadName: "shop-echo", issuer });
  const own = { name: "own-echo", workloadType: "v8", triggerSubjects: ["own.echo"] } as const;
  const deployed = await node.deploy({ ...own, artifact });
  await node.stop(deployed.id, "own-echo");
}

/** Runs a line in a shell; what follows is stimulated until it has printed a result, then interrupted. */
async function runShell(
  line: string,
  {
    stimulate,
    ...options
  }: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly stimulate?: () => Promise<void>;
  },
): Promise<ExampleEnd> {
  const child = spawn("/bin/sh", ["-c", `exec ${line}`], { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  const { promise: exit, resolve } = Promise.withResolvers<number | null>();
  child.once("close", (code) => resolve(code));
  const stderr = text(child.stderr);
  if (stimulate !== undefined) {
    await until(
      async () => {
        if (child.exitCode !== null || printed.includes("\n")) return true;
        await stimulate();
        return false;
      },
      { timeoutMs: 30_000, intervalMs: 100, message: `${line} prints nothing` },
    );
    if (line.includes("--watch")) await until(() => printed.includes("accepted"));
    // One that counts ends by itself; on its way out it dies of a signal.
    if (!line.includes("--count")) child.kill("SIGINT");
  }
  return { code: await exit, stdout: printed, stderr: await stderr };
}

/** The flag goes before a redirection. */
function withJson(line: string): string {
  return line.includes(" < ") ? line.replace(" < ", " --json < ") : `${line} --json`;
}

/** The JSON values on stdout: one indented, or one per line. */
function documents(stdout: string): string[] {
  try {
    return [JSON.stringify(JSON.parse(stdout))];
  } catch {
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.stringify(JSON.parse(line)));
  }
}
