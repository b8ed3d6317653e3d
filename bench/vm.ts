// `npm run bench:vm [-- --runs=3]`: what virtual machines cost. Prepares image and kernel, then measures (`vm-host.ts`) on a
// test host of its own, so that the network of this machine stays as it is. Linux, as root.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildRootfs } from "../src/rootfs/build-rootfs.ts";
import { noTestHost, startTestHost } from "../test/support/test-host.ts";
import { vmAssets } from "../test/support/vm-assets.ts";
import { introduction, line, MIB, progress, say } from "./vm-report.ts";

const { values } = parseArgs({ options: { runs: { type: "string", default: "3" } } });
const runs = Number(values.runs);
const root = join(import.meta.dirname, "..");

process.exitCode = await bench();

async function bench(): Promise<number> {
  const missing = await noTestHost();
  if (missing !== false) return give(`bench:vm cannot run here: ${missing}`);
  progress("Getting kernel and image ready");
  const assets = await vmAssets();
  if (assets.kind === "missing") return give(`bench:vm cannot run here: ${assets.reason}`);
  console.log(introduction(runs));
  await measureImage();
  await using host = await startTestHost();
  const options = { ...assets, runs, directory: host.directory };
  const [program = "", ...prefix] = host.prefix;
  const argv = [
    ...prefix,
    process.execPath,
    join(import.meta.dirname, "vm-host.ts"),
    JSON.stringify(options),
  ];
  const child = spawn(program, argv, { stdio: "inherit" });
  const [code] = await once(child, "exit");
  return typeof code === "number" ? code : 1;
}

async function measureImage(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "nex-bench-"));
  const output = join(directory, "rootfs.ext4");
  const times: number[] = [];
  try {
    for (let run = 0; run < runs; run += 1) {
      const start = performance.now();
      await buildRootfs({
        output,
        agent: join(root, "dist", "agent.js"),
        path: process.env["PATH"] ?? "",
      });
      times.push((performance.now() - start) / 1000);
    }
    const { size, blocks } = await stat(output);
    line("image: build", times, "s", 2);
    say("image: size, and what it takes on disk", `${mib(size)} and ${mib(blocks * 512)} MiB`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function mib(bytes: number): number {
  return Math.round(bytes / MIB);
}

function give(reason: string): number {
  console.error(reason);
  return 1;
}
