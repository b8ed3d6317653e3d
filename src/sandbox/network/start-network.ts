/**
 * Runs the network of virtual machines with CNI plugins (V1 to V4 of `network.ts`).
 *
 *     guest eth0 ─ tap0 ═ veth0 │ veth1a2b ─ host: 192.168.127.1 (also on lo) ─ masqueraded ─► outside
 *                 (redirected)  │
 *        network namespace nex-{id}      iptables chains NEX-{node} decide what may pass
 */
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { NexError, errorText } from "../../lib/errors.ts";
import type { Logger } from "../../lib/logger.ts";
import { currentOwner } from "../../lib/process-owner.ts";
import type { Conflist } from "./conflist.ts";
import { Firewall } from "./firewall.ts";
import { addAddress, hasAddress, isForwarding, setForwarding } from "./host-settings.ts";
import { lockHost } from "./host-lock.ts";
import { networkContains, parseIpv4Network } from "./ipv4.ts";
import { removeLeftovers, removeNodeNetwork } from "./leftovers.ts";
import { makeMachineNetwork, removeMachineNetwork } from "./machine-network.ts";
import type { MachineNetwork } from "./machine-network.ts";
import type { AttachOptions, NetworkAttachment, VirtualMachineNetwork } from "./network.ts";
import { loadNetworkList, probeVirtualMachineNetwork } from "./probe-network.ts";
import type { NetworkConfiguration } from "./probe-network.ts";
import { networkNamespace, writeNodeRecord } from "./records.ts";
import type { MachineRecord, NodeRecord } from "./records.ts";

export interface NetworkOptions extends NetworkConfiguration {
  /** Where what is made is recorded; one for all nodes of a host, and kept over reboots: `/var/lib/nex/network`. */
  readonly stateDirectory: string;
  readonly logger: Logger;
}

/**
 * Removes what nodes that no longer run have left, and makes the network of this one.
 *
 * @throws {NexError} `SANDBOX_UNAVAILABLE` naming what is missing
 */
export async function startVirtualMachineNetwork(options: NetworkOptions): Promise<VirtualMachineNetwork> {
  const { stateDirectory, gateway, subnet, allow = [], logger } = options;
  const probe = await probeVirtualMachineNetwork(options);
  if (probe.kind === "unavailable") throw unavailable(probe.reason);
  try {
    const list = await loadNetworkList(options);
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    const name = randomBytes(4).toString("hex");
    const directory = join(stateDirectory, name);
    await using _lock = await lockHost(join(stateDirectory, "lock"));
    const others = await removeLeftovers(stateDirectory, logger);
    const isGatewayShared = others.some((node) => node.addedGateway && node.gateway === gateway);
    const node: NodeRecord = {
      owner: await currentOwner(),
      networkNamespace: await networkNamespace(),
      chain: `NEX-${name}`,
      gateway,
      addedGateway: isGatewayShared || !(await hasAddress(gateway)),
      enabledForwarding: others.some(({ enabledForwarding }) => enabledForwarding) || !(await isForwarding()),
    };
    await writeNodeRecord(directory, node);
    const firewall = new Firewall({ chain: node.chain, gateway, subnet, allow });
    try {
      await firewall.start();
      if (node.addedGateway) await addAddress(gateway);
      if (!(await isForwarding())) await setForwarding(true);
    } catch (error) {
      await removeNodeNetwork({ directory, node }, { others, logger });
      throw error;
    }
    return new HostNetwork({ options, list, directory, node, firewall });
  } catch (error) {
    throw unavailable(errorText(error), error);
  }
}

interface HostNetworkParts {
  readonly options: NetworkOptions;
  readonly list: Conflist;
  /** Of the node's records. */
  readonly directory: string;
  readonly node: NodeRecord;
  readonly firewall: Firewall;
}

class HostNetwork implements VirtualMachineNetwork {
  readonly gateway: string;
  readonly #parts: HostNetworkParts;
  readonly #closing = new AbortController();
  readonly #ids = new Set<string>();
  readonly #attachments = new Set<NetworkAttachment>();
  readonly #attaching = new Set<Promise<unknown>>();
  #end: Promise<void> | undefined;
  #hasWarned = false;

  constructor(parts: HostNetworkParts) {
    this.#parts = parts;
    this.gateway = parts.node.gateway;
  }

  serveMetadata(port: number): void {
    this.#parts.firewall.serveMetadata(port);
  }

  async attach(id: string, { signal, bandwidth }: AttachOptions = {}): Promise<NetworkAttachment> {
    const limit = AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])]);
    const attaching = this.#attach(id, bandwidth, limit);
    this.#attaching.add(attaching);
    try {
      return await attaching;
    } finally {
      this.#attaching.delete(attaching);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#end ??= this.#close();
    return this.#end;
  }

  async #attach(
    id: string,
    bandwidth: AttachOptions["bandwidth"],
    signal: AbortSignal,
  ): Promise<NetworkAttachment> {
    if (signal.aborted) throw aborted(id, signal);
    if (!/^[A-Za-z0-9]{1,60}$/.test(id)) throw failed(id, "its id is not made of letters and digits");
    if (this.#ids.has(id)) throw failed(id, "a machine of this id is attached");
    this.#ids.add(id);
    const record = this.#recordOf(id, bandwidth);
    try {
      const made = await makeMachineNetwork(this.#parts.directory, record, signal);
      this.#check(made);
      await this.#parts.firewall.admit(id, made);
      signal.throwIfAborted();
      return this.#attachment(record, made);
    } catch (error) {
      await this.#detach(record);
      throw signal.aborted ? aborted(id, signal) : failed(id, errorText(error), error);
    }
  }

  #recordOf(id: string, bandwidth: AttachOptions["bandwidth"]): MachineRecord {
    const { options, list, node } = this.#parts;
    const { interfaceName, cniBinPath } = options;
    const name = `${namePrefix(node)}${id}`;
    return {
      id,
      namespace: name,
      containerId: name,
      interfaceName,
      list,
      binPath: [...cniBinPath],
      ...(bandwidth === undefined ? {} : { bandwidth }),
    };
  }

  /** The rules are made for the configured network: a list that says otherwise would lead past them. */
  #check({ address, gateway }: MachineNetwork): void {
    const { subnet, networkName } = this.#parts.options;
    const network = parseIpv4Network(subnet);
    if (network !== undefined && networkContains(network, address) && gateway === this.gateway) return;
    throw new Error(
      `"${networkName}.conflist" gives address ${address} and gateway ${gateway}, the configuration says ` +
        `cni.subnet ${subnet} and internal_node_host ${this.gateway}`,
    );
  }

  #attachment(record: MachineRecord, made: MachineNetwork): NetworkAttachment {
    const { tapName, macAddress, address, netmask, gateway } = made;
    let removal: Promise<void> | undefined;
    const attachment: NetworkAttachment = {
      namespace: record.namespace,
      tapName,
      macAddress,
      address,
      netmask,
      gateway,
      nameservers: this.#nameservers(made),
      [Symbol.asyncDispose]: () => {
        this.#attachments.delete(attachment);
        removal ??= this.#detach(record);
        return removal;
      },
    };
    this.#attachments.add(attachment);
    return attachment;
  }

  #nameservers(made: MachineNetwork): readonly string[] {
    const { nameservers = [], logger } = this.#parts.options;
    const used = (nameservers.length > 0 ? nameservers : made.nameservers).slice(0, 2);
    if (used.length === 0 && !this.#hasWarned) {
      this.#hasWarned = true;
      logger.warn("Machines have no name server: set cni.nameservers");
    }
    return used;
  }

  /** What cannot be removed stays recorded: the end of this network tries again, and then the next start. */
  async #detach(record: MachineRecord): Promise<void> {
    const { firewall, directory, options } = this.#parts;
    try {
      try {
        await firewall.forget(record.id);
      } finally {
        await removeMachineNetwork(directory, record);
      }
      this.#ids.delete(record.id);
    } catch (error) {
      options.logger.warn("Cannot remove the network of a machine", {
        machine: record.id,
        error: errorText(error),
      });
    }
  }

  async #close(): Promise<void> {
    const { directory, node, options } = this.#parts;
    this.#closing.abort(new Error("the network ends"));
    await Promise.allSettled(this.#attaching);
    await Promise.all([...this.#attachments].map((attachment) => attachment[Symbol.asyncDispose]()));
    await using _lock = await lockHost(join(options.stateDirectory, "lock"));
    const others = await removeLeftovers(options.stateDirectory, options.logger);
    await removeNodeNetwork(
      { directory, node },
      { others: others.filter(({ chain }) => chain !== node.chain), logger: options.logger },
    );
  }
}

/** Nobody else's namespaces, containers or leases have names that begin so, not even another node's. */
function namePrefix({ chain }: NodeRecord): string {
  return `${chain.toLowerCase()}-`;
}

function unavailable(reason: string, cause?: unknown): NexError {
  const message = `Cannot start the network of virtual machines: ${reason}`;
  return new NexError({ code: "SANDBOX_UNAVAILABLE", message, cause });
}

function failed(id: string, reason: string, cause?: unknown): NexError {
  const message = `Cannot start sandbox "${id}": no network: ${reason}`;
  return new NexError({ code: "SANDBOX_START_FAILED", message, cause });
}

function aborted(id: string, signal: AbortSignal): NexError {
  const cause: unknown = signal.reason;
  return new NexError({
    code: "ABORTED",
    message: `Cannot start sandbox "${id}": ${errorText(cause)}`,
    cause,
  });
}
