import type { NetworkAttachment } from "../network/network.ts";
import type { RateLimiters, TokenBucket } from "../rate-limiters.ts";
import type { SandboxResources } from "../sandbox.ts";
import { networkBootArgument } from "../virtual-machine.ts";
import type { FirecrackerCall } from "./firecracker-api.ts";

/** One machine as Firecracker is told of it. Paths are as Firecracker sees them. */
export interface MachineDescription {
  readonly logPath: string;
  readonly resources: SandboxResources;
  readonly kernelPath: string;
  readonly initrdPath?: string | undefined;
  readonly drivePath: string;
  readonly network: NetworkAttachment;
  readonly rateLimiters?: RateLimiters | undefined;
}

/**
 * A guest that reboots or panics ends its monitor. Firecracker adds `root=/dev/vda rw` by itself, and what its devices
 * need; the serial console is the guest's way to say why it cannot start.
 */
export const BOOT_ARGUMENTS = "console=ttyS0 quiet reboot=k panic=1 pci=off";

/** The calls that describe a machine and start it, in the order of protocol.md 11.2. */
export function machineCalls(machine: MachineDescription): readonly FirecrackerCall[] {
  const { logPath, resources, kernelPath, initrdPath, drivePath, network, rateLimiters = {} } = machine;
  const bootArguments = `${BOOT_ARGUMENTS} ${networkBootArgument(network)}`;
  const interfaceLimiter = rateLimiter({ bandwidth: rateLimiters.bandwidth });
  return [
    put("/logger", { log_path: logPath, show_level: true, show_log_origin: false }),
    put("/machine-config", machineConfig(resources)),
    put("/boot-source", bootSource({ kernelPath, initrdPath, bootArguments })),
    put("/drives/1", {
      drive_id: "1",
      path_on_host: drivePath,
      is_root_device: true,
      is_read_only: false,
      ...named("rate_limiter", rateLimiter(rateLimiters)),
    }),
    put("/network-interfaces/1", {
      iface_id: "1",
      guest_mac: network.macAddress,
      host_dev_name: network.tapName,
      ...named("rx_rate_limiter", interfaceLimiter),
      ...named("tx_rate_limiter", interfaceLimiter),
    }),
    put("/mmds/config", { version: "V2", network_interfaces: ["1"] }),
    put("/actions", { action_type: "InstanceStart" }),
  ];
}

export function machineConfig({ vcpuCount, memoryMiB }: SandboxResources): object {
  return { vcpu_count: vcpuCount, mem_size_mib: memoryMiB };
}

export function bootSource(parts: {
  readonly kernelPath: string;
  readonly initrdPath: string | undefined;
  readonly bootArguments: string;
}): object {
  const { kernelPath, initrdPath, bootArguments } = parts;
  return { kernel_image_path: kernelPath, ...named("initrd_path", initrdPath), boot_args: bootArguments };
}

/** The call that gives a running machine its metadata. */
export function metadataCall(metadata: Readonly<Record<string, string | number>>): FirecrackerCall {
  return put("/mmds", metadata);
}

function put(path: string, body: object): FirecrackerCall {
  return { method: "PUT", path, body };
}

function rateLimiter({
  bandwidth,
  iops,
}: {
  readonly bandwidth?: TokenBucket | undefined;
  readonly iops?: TokenBucket | undefined;
}): object | undefined {
  if (bandwidth === undefined && iops === undefined) return undefined;
  return { ...named("bandwidth", bucket(bandwidth)), ...named("ops", bucket(iops)) };
}

function bucket(tokens: TokenBucket | undefined): object | undefined {
  if (tokens === undefined) return undefined;
  const { size, refillTimeMs, oneTimeBurst } = tokens;
  return { size, refill_time: refillTimeMs, ...named("one_time_burst", oneTimeBurst) };
}

function named(name: string, value: unknown): object {
  return value === undefined ? {} : { [name]: value };
}
