/** What tests boot virtual machines from, made once under `.cache/vm` and shared by test files that run side by side. */
import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../../src/lib/errors.ts";
import { findProgram } from "../../src/lib/find-program.ts";
import { buildRootfs } from "../../src/rootfs/build-rootfs.ts";
import { fetchDebianKernel } from "../../src/sandbox/kernel/debian-kernel.ts";
import { cachedImage } from "./vm-cache.ts";

const root = join(import.meta.dirname, "..", "..");
const CACHE = join(root, ".cache", "vm");
const AGENT = join(root, "dist", "agent.js");

/** A machine's worth of files, or why there are none. */
export type VmAssets =
  | {
      readonly kind: "ready";
      readonly qemu: string;
      readonly kernel: string;
      readonly initrd: string;
      readonly rootfs: string;
    }
  | { readonly kind: "missing"; readonly reason: string };

/** Finds QEMU, and gets kernel and root file system: from the cache, else they are built. */
export async function vmAssets(): Promise<VmAssets> {
  const path = process.env["PATH"] ?? "";
  const qemu = await findProgram("qemu-system-x86_64", { path });
  if (qemu === undefined) return missing("qemu-system-x86_64 is not installed");
  const busybox = await findProgram("busybox", { path: `${path}:/bin` });
  if (busybox === undefined) return missing("busybox is not installed");
  if (process.arch !== "x64") return missing(`there is no test kernel for ${process.arch}`);
  try {
    const kernel = await cachedImage(
      CACHE,
      `kernel-${await digestOf("sandbox/kernel")}`,
      async (directory) => {
        await fetchDebianKernel({ cacheDirectory: directory, busybox, environment: { PATH: path } });
      },
    );
    const [name = ""] = (await readdir(kernel)).filter((entry) => entry.startsWith("linux-image-"));
    const rootfs = await cachedImage(
      CACHE,
      `rootfs-${await digestOf("rootfs", [AGENT])}`,
      async (directory) => {
        await buildRootfs({ output: join(directory, "rootfs.ext4"), agent: AGENT, path });
      },
    );
    return {
      kind: "ready",
      qemu,
      kernel: join(kernel, name, "vmlinuz"),
      initrd: join(kernel, name, "initrd"),
      rootfs: join(rootfs, "rootfs.ext4"),
    };
  } catch (error) {
    return missing(errorText(error));
  }
}

/** Names what is built from these, so that a change makes it again. */
async function digestOf(folder: string, more: readonly string[] = []): Promise<string> {
  const path = join(root, "src", folder);
  const sources = (await readdir(path)).filter((name) => !name.endsWith(".test.ts")).sort();
  const hash = createHash("sha256").update(process.version);
  for (const file of [...sources.map((name) => join(path, name)), ...more]) hash.update(await readFile(file));
  return hash.digest("hex").slice(0, 16);
}

function missing(reason: string): VmAssets {
  return { kind: "missing", reason };
}
