/**
 * The network contract of virtual machine drivers: each machine has a network namespace of its own with a tap device that
 * leads to the host, which masquerades what it sends. `src/sandbox/network/` implements it with CNI plugins.
 *
 * V1 `attach` rejects with nothing left behind; once an attachment is disposed nothing of it is left
 * V2 everything made is recorded on disk before it is made, so that the next start removes what a killed process left
 * V3 foreign links, namespaces, rules and CNI state are never touched
 * V4 a machine reaches the host at `gateway` and what the host reaches, not the host's loopback services, link-local
 *    addresses or other machines; it cannot send from an address that is not its own
 */

import type { TokenBucket } from "../rate-limiters.ts";

/** The network of all virtual machines of one node. */
export interface VirtualMachineNetwork extends AsyncDisposable {
  /** IPv4 address at which machines reach the host; on an interface of the host from start to disposal. */
  readonly gateway: string;
  /**
   * Sends what machines ask of 169.254.169.254:80 to this TCP port of `gateway`, for machines attached from now on.
   * Without it that address is unreachable.
   */
  serveMetadata(port: number): void;
  /**
   * Makes the network of the machine `id` (letters and digits), limited where its monitor does not limit it itself.
   *
   * @throws {NexError} `SANDBOX_START_FAILED`, or `ABORTED` when `signal` fires first
   */
  attach(id: string, options?: AttachOptions): Promise<NetworkAttachment>;
}

export interface AttachOptions {
  readonly signal?: AbortSignal;
  /** Bytes that may pass in each direction. Default: without a limit. */
  readonly bandwidth?: TokenBucket | undefined;
}

/** The network of one virtual machine; disposing it removes it. */
export interface NetworkAttachment extends AsyncDisposable {
  /** Name of the network namespace, for `ip netns exec`; its file is `/var/run/netns/{namespace}`. */
  readonly namespace: string;
  /** Tap device inside the namespace that the virtual machine monitor opens. */
  readonly tapName: string;
  /** MAC address that the guest's interface must have, `5a:65:8e:fa:7f:25`. */
  readonly macAddress: string;
  /** IPv4 address of the guest. */
  readonly address: string;
  /** `255.255.255.0` */
  readonly netmask: string;
  readonly gateway: string;
  /** At most two are used. */
  readonly nameservers: readonly string[];
}
