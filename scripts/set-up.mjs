// Gets a fresh clone ready: dependencies (Node.js 24 among them), a nats-server, the build. Plain JavaScript without
// dependencies, because it runs on whatever Node.js (20 or newer) the machine has. Every step is skipped when its
// result is there already, and says what it did and how long it took.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampDirectory = join(root, ".cache", "set-up");

/**
 * Runs all set-up steps and returns the path of a Node.js 24. Ends the process with a message when one fails.
 * `hostPackages`: also what tests of virtual machines need of the system, as far as it can be had.
 */
export async function setUp({ hostPackages = false } = {}) {
  requireNode20();
  const nothingToDo = [
    await step("dependencies", "npm ci (with Node.js 24)", dependencyInputs, installDependencies),
    await step("nats-server", "nats-server", natsInputs, findNatsServer),
    await step("build", "build", buildInputs, build),
  ].every((skipped) => skipped);
  if (nothingToDo) console.log("✔ set up already: dependencies, nats-server, build");
  if (hostPackages && process.platform === "linux") await installHostPackages();
  return node24();
}

/** Runs the Node.js 24 of this project on a script, hands signals on, and exits with its exit code. */
export function runAndExit(node, argv) {
  const child = spawn(node, argv, { cwd: root, stdio: "inherit", env: withNodeOnPath(node) });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(`Cannot start ${node}: ${error.message}`));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal ?? ""] ?? 0)));
}

/** The Node.js 24 that the dependencies brought, else one on the PATH. */
export function node24() {
  const bundled = join(root, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
  if (existsSync(bundled)) return bundled;
  const found = spawnSync("node", ["-p", "process.execPath + ' ' + process.versions.node.split('.')[0]"], {
    encoding: "utf8",
  });
  const [path, major] = (found.stdout ?? "").trim().split(" ");
  if (Number(major) >= 24) return path;
  return fail(
    `Cannot find a Node.js 24 for ${process.platform}-${process.arch}: there is no npm package of it for this platform.` +
      " Install Node.js 24 or newer and put it first on your PATH",
  );
}

async function step(name, title, inputs, run) {
  const stamp = join(stampDirectory, name);
  const wanted = inputs();
  if (wanted !== undefined && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return true;
  const start = performance.now();
  process.stdout.write(`… ${title}\n`);
  await run();
  mkdirSync(stampDirectory, { recursive: true });
  writeFileSync(stamp, inputs() ?? "");
  console.log(`✔ ${title} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  return false;
}

function dependencyInputs() {
  if (!existsSync(join(root, "node_modules", "zod"))) return undefined;
  return digestOf(["package-lock.json"], `${process.platform}-${process.arch}`);
}

async function installDependencies() {
  const npm = process.env.npm_execpath;
  const [program, argv] = npm?.endsWith(".js") ? [process.execPath, [npm, "ci"]] : ["npm", ["ci"]];
  await runStep(program, argv, {
    failure: "Cannot install the dependencies: is the npm registry reachable from here?",
  });
}

function natsInputs() {
  const directory = join(root, ".cache", "nats-server");
  if (!existsSync(directory)) return undefined;
  return digestOf(["scripts/ensure-nats-server.ts", ...filesBelow("src/nats")], process.env.PATH ?? "");
}

async function findNatsServer() {
  await runStep(node24(), [join("scripts", "ensure-nats-server.ts")], {
    show: true,
    failure: "Cannot get a nats-server: see the reasons above",
  });
}

/** Looked at each time: what was installed may be gone. */
async function installHostPackages() {
  await runStep(node24(), [join("scripts", "ensure-host-packages.ts")], {
    show: true,
    failure: "Cannot look for the system's packages",
  });
}

function buildInputs() {
  if (!existsSync(join(root, "dist", "agent.js"))) return undefined;
  return digestOf(["package.json", "tsconfig.build.json", "scripts/build.ts", ...filesBelow("src")], "");
}

async function build() {
  await runStep(node24(), [join("scripts", "build.ts")], { failure: "Cannot build the project" });
}

function runStep(program, argv, { show = false, failure }) {
  const { promise, resolve } = withResolvers();
  const env = existsSync(join(root, "node_modules")) ? withNodeOnPath(program) : process.env;
  const child = spawn(program, argv, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
      if (show) process.stdout.write(`  ${String(chunk).trimEnd()}\n`);
    });
  }
  child.on("error", (error) => fail(`${failure} (${error.message})`));
  child.on("exit", (code) => {
    if (code === 0) resolve();
    else fail(show ? failure : `${output.trim()}\n${failure}`);
  });
  return promise;
}

function withNodeOnPath(node) {
  return { ...process.env, PATH: `${dirname(node)}:${process.env.PATH ?? ""}` };
}

function filesBelow(folder) {
  const directory = join(root, folder);
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)],
    )
    .sort();
}

function digestOf(files, extra) {
  const hash = createHash("sha256").update(extra);
  for (const file of files) {
    const path = join(root, file);
    if (existsSync(path) && statSync(path).isFile()) hash.update(file).update(readFileSync(path));
  }
  return hash.digest("hex");
}

function requireNode20() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20)
    fail(`Node.js ${process.versions.node} is too old to set Nex up: install Node.js 20 or newer`);
}

function withResolvers() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}

function fail(message) {
  console.error(`✘ ${message}`);
  process.exit(1);
}
