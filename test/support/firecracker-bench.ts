import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { silentLogger } from "../../src/lib/logger.ts";
import type { Logger } from "../../src/lib/logger.ts";
import { createFirecrackerDriver } from "../../src/sandbox/firecracker/firecracker-driver.ts";
import type { FirecrackerOptions } from "../../src/sandbox/firecracker/firecracker-driver.ts";
import type { VirtualMachineNetwork } from "../../src/sandbox/network/network.ts";
import type { SandboxDriver } from "../../src/sandbox/sandbox.ts";
import { elfKernel } from "./kernel-file.ts";

const FAKE = fileURLToPath(new URL("./fake-firecracker.ts", import.meta.url));
const FAKE_BOOT = fileURLToPath(new URL("./fake-firecracker-boot.ts", import.meta.url));

/** Size of the root file system that fake machines get; mostly holes. */
const ROOTFS_BYTES = 8 * 1024 * 1024;

/** Files for the fake Firecracker, beside the temporary directory of a bench. */
export interface FirecrackerFiles {
  readonly program: string;
  readonly kernel: string;
  readonly rootfs: string;
  /** The calls that were made, in order. */
  readonly calls: () => Promise<readonly { readonly call: string; readonly body: unknown }[]>;
}

/** Makes a program `firecracker` that runs the fake with these flags, and images that it believes. */
export async function makeFirecrackerFiles(
  directory: string,
  flags: readonly string[] = [],
  kvm: "works" | "broken" | "hangs" = "works",
): Promise<FirecrackerFiles> {
  await mkdir(directory, { recursive: true });
  const [program, kernel, rootfs, record] = ["firecracker", "vmlinux", "rootfs.ext4", "calls"].map((name) =>
    join(directory, name),
  ) as [string, string, string, string];
  const run = (...words: readonly string[]): string =>
    `exec ${[process.execPath, ...words].map((word) => `'${word}'`).join(" ")} "$@"`;
  const boot = run(FAKE_BOOT, "--kvm", kvm);
  const serve = run(FAKE, "--record", record, ...flags);
  await writeFile(program, `#!/bin/sh\ncase "$1" in --no-api) ${boot};; *) ${serve};; esac\n`);
  await chmod(program, 0o755);
  await writeFile(kernel, elfKernel());
  const image = Buffer.alloc(ROOTFS_BYTES);
  image.write("start", 0);
  image.write("middle", ROOTFS_BYTES / 2 + 5);
  image.write("end", ROOTFS_BYTES - 3);
  await writeFile(rootfs, image);
  await writeFile(record, "");
  return {
    program,
    kernel,
    rootfs,
    calls: async () =>
      (await readFile(record, "utf8"))
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as { call: string; body: unknown }),
  };
}

/**
 * Makes a program that is started like Firecracker's jailer, writes down its arguments, and starts the fake with its root
 * where the jail is, in the network namespace but as us.
 */
export async function makeFakeJailer(
  directory: string,
): Promise<{ readonly program: string; readonly argv: () => Promise<readonly string[]> }> {
  const [program, record] = [join(directory, "jailer"), join(directory, "jailer-arguments")];
  await writeFile(
    program,
    `#!/bin/sh
printf '%s\\n' "$@" > '${record}'
while [ "$1" != -- ]; do
  case "$1" in
    --id) id=$2;; --exec-file) exe=$2;; --chroot-base-dir) base=$2;; --netns) netns=$2;; --uid|--gid) ;;
    *) echo "unknown $1" >&2; exit 1;;
  esac
  shift 2
done
shift
exec ip netns exec "\${netns##*/}" "$exe" --id "$id" --root "$base/\${exe##*/}/$id/root" "$@"
`,
  );
  await chmod(program, 0o755);
  return { program, argv: async () => (await readFile(record, "utf8")).split("\n").slice(0, -1) };
}

/** A Firecracker driver, on the fake or on the real one. */
export function createTestFirecrackerDriver(parts: {
  readonly files: Pick<FirecrackerFiles, "program" | "kernel" | "rootfs">;
  readonly network: VirtualMachineNetwork;
  readonly temporaryDirectory: string;
  readonly logger?: Logger;
  readonly more?: Partial<FirecrackerOptions>;
}): SandboxDriver {
  const { files, network, temporaryDirectory, logger = silentLogger, more = {} } = parts;
  return createFirecrackerDriver({
    program: files.program,
    images: { kernel: { path: files.kernel }, rootfs: files.rootfs },
    network,
    temporaryDirectory,
    logger,
    ...more,
  });
}
