// `npm run test:pack`: packs the package, installs the tarball in an empty directory as a user would, and checks that
// what is in it works: `nex version`, a node with its own NATS server, a deploy, and the exported library.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..");
const directory = await mkdtemp(join(tmpdir(), "nex-pack-"));

try {
  await step("npm pack", async () => run("npm", ["pack", "--pack-destination", directory], { cwd: root }));
  const install = join(directory, "install");
  await mkdir(install);
  await writeFile(join(install, "package.json"), '{ "name": "consumer", "private": true, "type": "module" }');
  await step("npm install of the tarball", async () =>
    run("npm", ["install", "--no-fund", "--no-audit", join(directory, await tarballName())], {
      cwd: install,
    }),
  );
  const nex = join(install, "node_modules", ".bin", "nex");
  await step("nex version", async () => {
    const { stdout } = await run(nex, ["version"], { cwd: install });
    expect(stdout, /^v\d+\.\d+\.\d+ \[[0-9a-f]{7,}\] \| Built-on: \d{4}-\d\d-\d\dT/);
  });
  await step("import of nex/control-api", async () => {
    const program = 'import { uptimeText } from "nex/control-api"; console.log(uptimeText(60));';
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { cwd: install });
    expect(stdout, /^1m0s/);
  });
  await step("import of nex/functions", async () => {
    const program =
      'import { defineFunction } from "nex/functions"; console.log(defineFunction(() => "fine")());';
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { cwd: install });
    expect(stdout, /^fine/);
  });
  await step("node up, devrun, req", async () => deployAndCall(nex, install));
  console.log("✔ the packed package works");
} finally {
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
}

async function tarballName(): Promise<string> {
  const { stdout } = await run(
    process.execPath,
    ["-p", "const p = require('./package.json'); `${p.name}-${p.version}.tgz`"],
    {
      cwd: root,
    },
  );
  return stdout.trim();
}

async function deployAndCall(nex: string, cwd: string): Promise<void> {
  const home = join(directory, "home");
  await mkdir(home);
  await copyFile(join(root, "examples/js/echofunction/echo.js"), join(cwd, "echo.js"));
  const environment = {
    PATH: `${join(root, ".cache", "nats-server")}:${process.env["PATH"]}`,
    HOME: home,
    TMPDIR: home,
  };
  const cache = { NEX_NATS_SERVER: await natsServer() };
  const argv = ["node", "up", "--embedded-nats", "--nats-port=-1", "--no-sandbox"];
  const node = spawn(nex, argv, {
    cwd,
    env: { ...environment, ...cache },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(node, "exit");
  try {
    const url = await serverUrl(node.stderr);
    const flags = ["-s", url];
    const deployed = await run(nex, [...flags, "devrun", "echo.js", "--trigger_subject=pack.echo"], {
      cwd,
      env: environment,
    });
    expect(deployed.stdout, /Workload 'echojs' accepted/);
    const replied = await run(nex, [...flags, "req", "pack.echo", "heya"], { cwd, env: environment });
    expect(replied.stdout, /heya/);
    await cp(join(root, "examples/typescript/hello"), join(cwd, "hello"), { recursive: true });
    const built = await run(nex, [...flags, "devrun", "hello/hello.ts", "--trigger_subject=pack.hello"], {
      cwd,
      env: environment,
    });
    expect(built.stdout, /Workload 'hellots' accepted/);
    const greeted = await run(nex, [...flags, "req", "pack.hello", '{"name":"Ada"}'], {
      cwd,
      env: environment,
    });
    expect(greeted.stdout, /Hello, Ada!/);
  } finally {
    node.kill("SIGTERM");
    await exited;
  }
}

/** The nats-server that the set-up has found, so that nothing is downloaded again. */
async function natsServer(): Promise<string> {
  const { stdout } = await run(process.execPath, [join(root, "scripts", "ensure-nats-server.ts")]);
  const path = /: (\/\S+)/.exec(stdout)?.[1];
  if (path === undefined) throw new Error(`No path of a nats-server in: ${stdout}`);
  return path;
}

/** The URL of the node's server, once the node awaits commands. Keeps reading, so that the node can keep writing. */
async function serverUrl(output: NodeJS.ReadableStream): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  output.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    const url = /servers=(\S+)/.exec(text)?.[1];
    if (url !== undefined && text.includes("awaiting commands")) resolve(url);
  });
  output.on("end", () => reject(new Error(`The node ended:\n${text}`)));
  return promise;
}

function expect(text: string, pattern: RegExp): void {
  if (!pattern.test(text)) throw new Error(`Expected ${pattern.source} in:\n${text}`);
}

async function step<T>(title: string, work: () => Promise<T>): Promise<void> {
  const start = performance.now();
  await work();
  console.log(`✔ ${title} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}
