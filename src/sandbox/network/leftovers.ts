import { errorText } from "../../lib/errors.ts";
import type { Logger } from "../../lib/logger.ts";
import { currentOwner, ownerState } from "../../lib/process-owner.ts";
import { isForwardingNeeded, removeFirewall } from "./firewall.ts";
import { isForwarding, removeAddress, setForwarding } from "./host-settings.ts";
import { removeMachineNetwork } from "./machine-network.ts";
import { networkNamespace, readAllRecords, readMachineRecords, removeNodeRecord } from "./records.ts";
import type { NodeRecord, NodeRecords } from "./records.ts";

/**
 * Removes what nodes left on this host that no longer run, and returns the records of the others. Call it with the host
 * locked.
 */
export async function removeLeftovers(stateDirectory: string, logger: Logger): Promise<NodeRecord[]> {
  const all = await readAllRecords(stateDirectory);
  const abandoned: NodeRecords[] = [];
  const others: NodeRecord[] = [];
  for (const records of all) {
    if (await isAbandoned(records)) abandoned.push(records);
    else if (records.node !== undefined) others.push(records.node);
  }
  for (const records of abandoned) {
    if (records.node !== undefined) {
      logger.info("Removing the network of a node that no longer runs", { pid: records.node.owner.pid });
    }
    await removeNodeNetwork(records, { others, logger });
  }
  return others;
}

/**
 * Removes the network of one node: machines first, then what all of them shared, as far as no other node uses it. What
 * cannot be removed stays recorded for the next start.
 */
export async function removeNodeNetwork(
  { directory, node }: NodeRecords,
  { others, logger }: { readonly others: readonly NodeRecord[]; readonly logger: Logger },
): Promise<void> {
  try {
    for (const machine of await readMachineRecords(directory)) await removeMachineNetwork(directory, machine);
    // A reboot has removed everything but leases of addresses.
    if (node !== undefined && (await isOfThisBoot(node))) await removeShared(node, others);
    await removeNodeRecord(directory);
  } catch (error) {
    logger.warn("Cannot remove all of a node's network; the next start tries again", {
      error: errorText(error),
    });
  }
}

async function removeShared(node: NodeRecord, others: readonly NodeRecord[]): Promise<void> {
  await removeFirewall(node.chain);
  const isShared = others.some(({ gateway, addedGateway }) => addedGateway && gateway === node.gateway);
  if (node.addedGateway && !isShared) await removeAddress(node.gateway);
  const isForwardingShared = others.some(({ enabledForwarding }) => enabledForwarding);
  if (!node.enabledForwarding || isForwardingShared || !(await isForwarding())) return;
  // Docker and the like may have come after us and found it switched on.
  if (!(await isForwardingNeeded(node.chain))) await setForwarding(false);
}

/** Nodes that run in other containers have namespaces of their own: what is theirs cannot be judged or reached. */
async function isAbandoned({ node }: NodeRecords): Promise<boolean> {
  if (node === undefined || !(await isOfThisBoot(node))) return true;
  if (node.networkNamespace !== (await networkNamespace())) return false;
  return (await ownerState(node.owner)) === "gone";
}

async function isOfThisBoot({ owner }: NodeRecord): Promise<boolean> {
  return owner.bootId === (await currentOwner()).bootId;
}
