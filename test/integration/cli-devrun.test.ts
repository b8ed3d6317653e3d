import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { createSealingKey, createSigningKey } from "../../src/control-api/index.ts";
import { startFakeNode } from "../support/fake-node.ts";
import type { FakeNode, FakeNodeOptions } from "../support/fake-node.ts";
import { runNex, startNex } from "../support/run-nex.ts";
import type { NexResult } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";
import { until } from "../support/until.ts";

const SOURCE = "(subject, payload) => payload;\n";
const HASH = createHash("sha256").update(SOURCE).digest("hex");

/** A server, a folder that is HOME and working directory, and a function in it. */
interface Place extends AsyncDisposable {
  readonly nats: TestNats;
  readonly home: string;
  node(options?: Omit<FakeNodeOptions, "url">): Promise<FakeNode>;
  nex(args: readonly string[]): Promise<NexResult>;
}

async function startPlace(): Promise<Place> {
  await using stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats());
  const home = await mkdtemp(join(tmpdir(), "nex-test-devrun-"));
  stack.defer(async () => rm(home, { recursive: true, force: true }));
  await writeFile(join(home, "echo.js"), SOURCE);
  const nodes = new AsyncDisposableStack();
  stack.use(nodes);
  const resources = stack.move();
  return {
    nats,
    home,
    node: async (options = {}) => nodes.use(await startFakeNode({ ...options, url: nats.url })),
    nex: async (args) => runNex(args, { cwd: home, env: { HOME: home, NATS_URL: nats.url } }),
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}

describe("nex devrun", { concurrency: 2 }, () => {
  test("makes keys, uploads the file, deploys it and says so", async () => {
    await using place = await startPlace();
    const node = await place.node();
    const { code, stdout, stderr } = await place.nex([
      "devrun",
      "./echo.js",
      "--trigger_subject=js.echo",
      "A=1",
      "B:x=y",
    ]);
    const [deploy] = node.deploys;
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(
      stdout,
      `Wrote new issuer account key: ${place.home}/.nex/issuer.nk
Wrote new publisher xkey: ${place.home}/.nex/publisher.xk
🚀 Workload 'echojs' accepted. You can now refer to this workload with ID: ${deploy?.id} on node ${node.nodeId}
`,
    );
    assert.deepEqual(deploy?.environment, { A: "1", B: "x=y" });
    assert.equal(Buffer.from(deploy.artifact).toString(), SOURCE);
    assert.deepEqual(
      [deploy.namespace, deploy.claims.workloadName, deploy.claims.hash],
      ["default", "echojs", HASH],
    );
    const { type, description, essential, trigger_subjects, argv, location, target_node, jsdomain } =
      deploy.request;
    assert.deepEqual(
      [type, description, essential, trigger_subjects, argv, target_node, jsdomain],
      ["v8", "Workload published in devmode", false, ["js.echo"], undefined, node.nodeId, ""],
    );
    assert.deepEqual([location.Scheme, location.Host, location.Path], ["nats", "NEXCLIFILES", "/echojs"]);
    assert.equal((await stat(join(place.home, ".nex", "issuer.nk"))).mode & 0o777, 0o600);
    const manager = await jetstreamManager(await place.nats.connect());
    const { config } = await manager.streams.info("OBJ_NEXCLIFILES");
    assert.deepEqual(
      [config.max_bytes, config.description],
      [104_857_600, "Ad hoc object storage for NEX CLI developer mode uploads"],
    );
  });

  test("reuses its keys, stops the older copy and keeps stdout for the result with --json", async () => {
    await using place = await startPlace();
    const node = await place.node();
    await place.nex(["devrun", "echo.js", "--trigger_subject=js.echo"]);
    const older = node.deploys[0]?.id ?? "";
    const { code, stdout, stderr } = await place.nex([
      "yeet",
      "echo.js",
      "--trigger_subject=js.echo",
      "--json",
    ]);
    assert.equal(code, 0);
    assert.equal(
      stderr,
      `Reusing existing issuer account key: ${place.home}/.nex/issuer.nk
Reusing existing publisher xkey: ${place.home}/.nex/publisher.xk
Workload echojs (${older}) already exists on the target. Attempting to stop it
`,
    );
    assert.deepEqual(JSON.parse(stdout), {
      node_id: node.nodeId,
      workload_id: node.deploys[1]?.id,
      name: "echojs",
      namespace: "default",
      type: "v8",
      hash: HASH,
      isolation: null,
      stopped: [older],
    });
    assert.deepEqual(node.running(), [node.deploys[1]?.id]);
  });

  test("prefers the node that already runs the workload", async () => {
    await using place = await startPlace();
    const nodes = [
      await place.node({ name: "a" }),
      await place.node({ name: "b" }),
      await place.node({ name: "c" }),
    ];
    for (let round = 0; round < 3; round++) {
      assert.equal((await place.nex(["devrun", "echo.js", "--trigger_subject=js.echo"])).code, 0);
    }
    assert.equal(Math.max(...nodes.map(({ deploys }) => deploys.length)), 3);
  });

  test("leaves older copies, and those of other namespaces, alone when told so", async () => {
    await using place = await startPlace();
    const node = await place.node();
    const args = ["devrun", "echo.js", "--trigger_subject=js.echo"];
    await place.nex(args);
    await place.nex([...args, "--no-stop"]);
    await place.nex([...args, "--namespace=other"]);
    assert.equal(node.running().length, 3);
    assert.equal(node.deploys[2]?.namespace, "other");
  });

  test("sends argv, essential and the type it is given", async () => {
    await using place = await startPlace();
    const node = await place.node();
    await writeFile(join(place.home, "serve.sh"), "#!/bin/sh\n", { mode: 0o755 });
    const { code, stderr } = await place.nex(["devrun", "serve.sh", "--argv=-a b", "--essential"]);
    assert.deepEqual([code, stderr], [0, ""]);
    const request = node.deploys[0]?.request;
    assert.deepEqual([request?.type, request?.argv, request?.essential], ["native", ["-a", "b"], true]);
  });

  test("says how a function is to be run, and only of functions", async () => {
    await using place = await startPlace();
    const node = await place.node();
    const echo = ["devrun", "echo.js", "--trigger_subject=js.echo"];
    const { code, stderr } = await place.nex([...echo, "--fresh", "--concurrency=3"]);
    assert.deepEqual([code, stderr], [0, ""]);
    await place.nex(echo);
    assert.deepEqual(
      node.deploys.map(({ request }) => [request.fresh, request.concurrency]),
      [
        [true, 3],
        [undefined, undefined],
      ],
    );
    assert.equal((await place.nex([...echo, "--concurrency=0"])).code, 1);
    await writeFile(join(place.home, "serve.sh"), "#!/bin/sh\n", { mode: 0o755 });
    for (const flag of ["--fresh", "--concurrency=2"]) {
      const refused = await place.nex(["devrun", "serve.sh", flag]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /--fresh and --concurrency are only for functions/);
    }
    assert.equal(node.deploys.length, 2);
  });

  test("asks only nodes of the file's platform", async () => {
    await using place = await startPlace();
    await place.node({ tags: { "nex.os": "darwin", "nex.arch": "arm64" } });
    const elf = Buffer.alloc(64);
    elf.write("\u007fELF\u0002\u0001", "latin1");
    elf.writeUInt16LE(0x3e, 18);
    await writeFile(join(place.home, "service"), elf);
    const { code, stdout, stderr } = await place.nex(["devrun", "service"]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.equal(
      stderr,
      `nex: error: unable to locate candidate node - no nodes discovered
hint: 1 node(s) answer, but none takes native workloads for linux/amd64 now: see "nex node ls --full"
`,
    );
  });

  test("without any node says so before it makes keys or uploads", async () => {
    await using place = await startPlace();
    const { code, stderr } = await place.nex(["devrun", "echo.js", "--trigger_subject=a"]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^nex: error: unable to locate candidate node - no nodes discovered\nhint: Start a node with "nex node up"/,
    );
    await assert.rejects(stat(join(place.home, ".nex")), { code: "ENOENT" });
  });

  test("prints the refusal of the node as it stands", async () => {
    await using place = await startPlace();
    const refuseDeploys = "Unsupported workload type on this node: v8";
    await place.node({ refuseDeploys });
    const { code, stderr } = await place.nex(["devrun", "echo.js", "--trigger_subject=a"]);
    assert.equal(code, 1);
    assert.equal(stderr, `⛔ Workload run request failed to submit: ${refuseDeploys}\n`);
  });

  test("does not deploy when the older copy cannot be stopped", async () => {
    await using place = await startPlace();
    const node = await place.node({ refuseStops: "Failed to stop workload: stuck" });
    const args = ["devrun", "echo.js", "--trigger_subject=a"];
    await place.nex(args);
    const { code, stderr } = await place.nex(args);
    assert.deepEqual([code, node.deploys.length], [1, 1]);
    assert.match(
      stderr,
      /^nex: error: target node failed to stop the existing workload\. This may result in inconsistency or unexpected scale-out: Failed to stop workload: stuck\nhint: .*--no-stop/m,
    );
  });

  const mistakes: readonly (readonly [args: string[], text: RegExp])[] = [
    [
      ["echo.js"],
      /^nex: error: cannot start a function-type workload without specifying at least one trigger subject/,
    ],
    [
      ["nothing.js", "--trigger_subject=a"],
      /^nex: error: Cannot deploy "nothing\.js": there is no such file\n/,
    ],
    [
      ["echo.js", "--type=native"],
      /^nex: error: Cannot deploy "echo\.js": unsupported binary file type\nhint: /,
    ],
    [
      ["echo.js", "--trigger_subject=a", "novalue"],
      /^nex: error: expected KEY=VALUE got 'novalue', try --help\n/,
    ],
    [["echo.js", "--type=oci"], /^nex: error: flag '--type' must be one of native, v8, wasm, got 'oci'/],
  ];
  test("refuses mistakes before it connects", async () => {
    await using place = await startPlace();
    await place.nats.stop();
    for (const [args, text] of mistakes) {
      const { code, stderr } = await place.nex(["devrun", ...args]);
      assert.equal(code, 1);
      assert.match(stderr, text);
    }
  });

  test("says that uploads need JetStream", async () => {
    await using nats = await startNats({ jetstream: false });
    await using place = await startPlace();
    await using node = await startFakeNode({ url: nats.url });
    const args = ["devrun", "echo.js", "--trigger_subject=a", `--server=${nats.url}`];
    const { code, stderr } = await place.nex(args);
    assert.deepEqual([code, node.deploys.length], [1, 0]);
    assert.match(
      stderr,
      /^nex: error: Cannot upload "echo\.js" .*JetStream.*\nhint: Uploads need JetStream/im,
    );
  });

  test("says that a file does not fit into the bucket and leaves nothing of it there", async () => {
    await using place = await startPlace();
    await place.node();
    await writeFile(join(place.home, "big.js"), Buffer.alloc(600_000, "/"));
    const { code, stderr } = await place.nex([
      "devrun",
      "big.js",
      "--trigger_subject=a",
      "--bucketmaxbytes=300000",
    ]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^nex: error: Cannot upload "big\.js" \(600000 bytes\) .*: maximum bytes exceeded\nhint: /m,
    );
    assert.equal(await storedMessages(place.nats), 0);
  });

  test("interrupted in an upload ends with 1, deploys nothing and leaves nothing in the bucket", async () => {
    await using place = await startPlace();
    const node = await place.node();
    await writeFile(join(place.home, "big.js"), Buffer.alloc(90 * 1024 * 1024, "/"));
    await using nex = await startNex(["devrun", "big.js", "--trigger_subject=a"], {
      cwd: place.home,
      env: { HOME: place.home, NATS_URL: place.nats.url },
    });
    await until(async () => (await storedMessages(place.nats)) > 0);
    nex.signal("SIGINT");
    const { code, stderr } = await nex.exit;
    assert.deepEqual([code, stderr, node.deploys.length], [1, "nex: error: Interrupted by SIGINT\n", 0]);
    assert.equal(await storedMessages(place.nats), 0);
  });
});

describe("nex run and stop", { concurrency: 2 }, () => {
  let place: Place;
  let node: FakeNode;
  let keys: readonly string[];
  before(async () => {
    place = await startPlace();
    node = await place.node();
    await place.nex(["devrun", "echo.js", "--trigger_subject=js.echo", "--namespace=setup"]);
    await writeFile(join(place.home, "issuer.nk"), `${createSigningKey("account").seedText()}\n`);
    await writeFile(join(place.home, "publisher.xk"), createSealingKey().seedText());
    keys = ["--issuer=issuer.nk", "--xkey=publisher.xk"];
  });
  after(async () => place?.[Symbol.asyncDispose]());

  test("run deploys what lies in a bucket, by node name, and stop ends it", async () => {
    const [jwt, seed] = ["a.b.c", createSigningKey("user").seedText()];
    const flags = [
      "--name=mine",
      "--type=v8",
      "--trigger_subject=a",
      "--trigger_subject=b",
      "--description=D",
      "--fresh",
      "--concurrency=5",
      "--hs_url=nats://h",
      `--hs_jwt=${jwt}`,
      `--hs_seed=${seed}`,
      "--trigger_url=nats://t",
      `--trigger_jwt=${jwt}`,
      `--trigger_seed=${seed}`,
    ];
    const run = await place.nex([
      "run",
      "nats://NEXCLIFILES/echojs",
      "quiet-otter",
      "K=V",
      ...keys,
      ...flags,
    ]);
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    const deploy = node.deploys.find(({ id }) => run.stdout.includes(id));
    assert.equal(
      run.stdout,
      `🚀 Workload 'mine' accepted. You can now refer to this workload with ID: ${deploy?.id} on node ${node.nodeId}\n`,
    );
    assert.deepEqual(deploy?.environment, { K: "V" });
    const { type, trigger_subjects, description, host_services, trigger_connection } = deploy.request;
    assert.deepEqual(
      [type, trigger_subjects, description, deploy.claims.hash],
      ["v8", ["a", "b"], "D", HASH],
    );
    assert.deepEqual([deploy.request.fresh, deploy.request.concurrency], [true, 5]);
    const user = { nats_user_jwt: jwt, nats_user_seed: seed };
    assert.deepEqual(host_services, { nats_url: "nats://h", ...user });
    assert.deepEqual(trigger_connection, { nats_url: "nats://t", ...user });

    const stop = await place.nex(["stop", node.nodeId, deploy.id, "--name=mine", "--issuer=issuer.nk"]);
    assert.deepEqual([stop.code, stop.stdout], [0, "✅ Workload 'mine' stopped.\n"]);
    const again = await place.nex(["stop", node.nodeId, deploy.id, "--name=mine", "--issuer=issuer.nk"]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /^⛔ Workload stop request failed: No such workload\nhint: .*"nex ps"/);
  });

  test("run claims no hash where the store may not be looked into, and leaves the word to the node", async () => {
    await using nats = await startNats({ jetstream: false });
    await using other = await startFakeNode({ url: nats.url });
    const flags = ["--name=x", "--type=v8", "--trigger_subject=a", "--timeout=300ms", `--server=${nats.url}`];
    const { code, stderr } = await place.nex(["run", "nats://B/o", other.nodeId, ...keys, ...flags]);
    assert.equal(code, 1);
    assert.match(stderr, /^⛔ Workload run request failed to submit: /);
  });

  test("run and stop print their documented shapes with --json", async () => {
    const flags = ["--name=shape", "--type=wasm", "--trigger_subject=a", "--json"];
    const run = await place.nex(["run", "nats://NEXCLIFILES/echojs", node.nodeId, ...keys, ...flags]);
    const { workload_id, ...rest } = JSON.parse(run.stdout) as { readonly workload_id: string };
    assert.deepEqual(rest, {
      node_id: node.nodeId,
      name: "shape",
      namespace: "default",
      type: "wasm",
      hash: HASH,
      isolation: null,
    });
    const stop = await place.nex([
      "stop",
      node.nodeId,
      workload_id,
      "--name=shape",
      "--issuer=issuer.nk",
      "--json",
    ]);
    assert.deepEqual(JSON.parse(stop.stdout), {
      node_id: node.nodeId,
      workload_id,
      name: "shape",
      stopped: true,
    });
  });

  test("stop by another issuer is refused with the node's text", async () => {
    await writeFile(join(place.home, "other.nk"), createSigningKey("account").seedText());
    const deploy = node.deploys[0];
    const args = [
      "stop",
      node.nodeId,
      deploy?.id ?? "",
      "--name=echojs",
      "--issuer=other.nk",
      "--namespace=setup",
    ];
    const { code, stderr } = await place.nex(args);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^⛔ Workload stop request failed: Invalid stop request: the only entity allowed to terminate/,
    );
  });

  test("run tells a missing object, a wrong key file and a bad location", async () => {
    const location = "nats://NEXCLIFILES/echojs";
    const flags = ["--name=x", "--type=v8", "--trigger_subject=a"];
    const seed = createSigningKey("user").seedText();
    const table: readonly (readonly [args: string[], text: RegExp])[] = [
      [
        ["nats://NEXCLIFILES/nothing", ...keys, ...flags],
        /^⛔ Workload run request failed to submit: .*not found/,
      ],
      [
        [location, "--issuer=publisher.xk", "--xkey=publisher.xk", ...flags],
        /^nex: error: Cannot use key file "publisher\.xk"/,
      ],
      [
        [location, "--issuer=nowhere", "--xkey=publisher.xk", ...flags],
        /^nex: error: flag '--issuer': path 'nowhere' does not exist/,
      ],
      [
        ["NEXCLIFILES/echojs", ...keys, ...flags],
        /^nex: error: Location "NEXCLIFILES\/echojs" is not usable/,
      ],
      [
        [location, ...keys, "--name=a.b", "--type=v8", "--trigger_subject=a"],
        /Workload name "a\.b" is not valid/,
      ],
      [
        [location, ...keys, "--name=x", "--type=wasm"],
        /^nex: error: cannot start a function-type workload without/,
      ],
      [
        [location, ...keys, ...flags, "--hs_jwt=x"],
        /^nex: error: flags --hs_url, --hs_jwt and --hs_seed go together \(missing: --hs_url, --hs_seed\)/,
      ],
      [
        [location, ...keys, "--name=x", "--trigger_url=x", "--trigger_jwt=a.b.c", `--trigger_seed=${seed}`],
        /^nex: error: a trigger connection is only for functions/,
      ],
    ];
    const secret = await readFile(join(place.home, "publisher.xk"), "utf8");
    for (const [[url = "", ...rest], text] of table) {
      const { code, stderr } = await place.nex(["run", url, node.nodeId, ...rest]);
      assert.equal(code, 1);
      assert.match(stderr, text);
      assert.ok(!stderr.includes(secret));
    }
  });
});

/** Chunks and metadata in the upload bucket; 0 when there is none. */
async function storedMessages(nats: TestNats): Promise<number> {
  const manager = await jetstreamManager(await nats.connect());
  try {
    return (await manager.streams.info("OBJ_NEXCLIFILES")).state.messages;
  } catch {
    return 0;
  }
}
