import { join } from "node:path";
import { silentLogger } from "../../src/lib/logger.ts";
import type { VirtualMachineNetwork } from "../../src/sandbox/network/network.ts";
import { createQemuDriver } from "../../src/sandbox/qemu/qemu-driver.ts";
import type { QemuOptions } from "../../src/sandbox/qemu/qemu-driver.ts";
import type { SandboxDriver } from "../../src/sandbox/sandbox.ts";
import type { MachineImages, MetadataPublisher } from "../../src/sandbox/virtual-machine.ts";
import { findTestKernel, makeTestGuest } from "./test-guest.ts";
import type { GuestBehaviour } from "./virtual-machine-contract.ts";

/** Debian's. */
export const QEMU = "/usr/bin/qemu-system-x86_64";

const SCRIPTS: Readonly<Record<GuestBehaviour, string>> = {
  stays: "echo 'guest is up'; sleep 100000",
  leaves: "",
  floods: `yes "flood $(seq 1 900 | tr '\\n' ' ')"`,
};

/** The images of a guest that behaves like this, made in `directory`. */
export async function makeBehavingGuest(directory: string, guest: GuestBehaviour): Promise<MachineImages> {
  const kernel = await findTestKernel();
  if (typeof kernel === "string") throw new Error(kernel);
  return makeTestGuest(join(directory, guest), kernel, SCRIPTS[guest]);
}

/** Remembers what is published now, by address. */
export function recordPublications(): MetadataPublisher & {
  readonly published: ReadonlyMap<string, object>;
} {
  const published = new Map<string, object>();
  return {
    published,
    publish: (address, document) => {
      published.set(address, document);
      return { [Symbol.dispose]: () => published.delete(address) };
    },
  };
}

/** A QEMU driver with software emulation. */
export function createTestQemuDriver(parts: {
  readonly images: MachineImages;
  readonly network: VirtualMachineNetwork;
  readonly temporaryDirectory: string;
  readonly more?: Partial<QemuOptions>;
}): SandboxDriver {
  const { images, network, temporaryDirectory, more = {} } = parts;
  return createQemuDriver({
    program: QEMU,
    images,
    network,
    temporaryDirectory,
    metadata: recordPublications(),
    logger: silentLogger,
    accelerator: "tcg",
    ...more,
  });
}
