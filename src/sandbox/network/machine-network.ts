/** Makes and removes the namespace, links, address and masquerading of one machine. */
import { rm, statfs } from "node:fs/promises";
import { errorText } from "../../lib/errors.ts";
import { limitBandwidth } from "./bandwidth.ts";
import { addToNetwork, removeFromNetwork } from "./cni.ts";
import type { CniAttachment } from "./cni.ts";
import { parseCniResult } from "./cni-result.ts";
import type { MachineAddress } from "./cni-result.ts";
import { removeMasquerade } from "./firewall.ts";
import { disableIpv6 } from "./host-settings.ts";
import { runHostTool } from "./host-tools.ts";
import { readMachineRecord, removeMachineRecord, writeMachineRecord } from "./records.ts";
import type { MachineRecord } from "./records.ts";
import { redirectToTap } from "./tap-redirect.ts";

export type MachineNetwork = MachineAddress & { readonly tapName: string };

/** Makes everything `record` names; leaves what it has made when it rejects. `directory` is that of the node's records. */
export async function makeMachineNetwork(
  directory: string,
  record: MachineRecord,
  signal: AbortSignal,
): Promise<MachineNetwork> {
  const { namespace, interfaceName, bandwidth } = record;
  await writeMachineRecord(directory, record);
  await runHostTool(["ip", "netns", "add", namespace], { signal });
  const attachment = attachmentOf(record, namespacePath(namespace));
  const result = await addToNetwork(attachment, signal);
  await writeMachineRecord(directory, { ...record, result });
  const address = parseCniResult(result, attachment);
  await disableIpv6(address.hostInterface);
  const tapName = address.tapName ?? (await redirectToTap({ namespace, interfaceName }, signal));
  if (bandwidth !== undefined) {
    await limitBandwidth({ namespace, interfaceName, tapName }, bandwidth, signal);
  }
  return { ...address, tapName };
}

/**
 * Removes all of it, however far the making had come, and then the record.
 *
 * @throws {Error} when something is left; the record then stays
 */
export async function removeMachineNetwork(directory: string, record: MachineRecord): Promise<void> {
  const failures: string[] = [];
  const attempt = async (step: () => Promise<unknown>): Promise<void> => {
    try {
      await step();
    } catch (error) {
      failures.push(errorText(error));
    }
  };
  const path = namespacePath(record.namespace);
  const { result } = (await readMachineRecord(directory, record)) ?? record;
  const isNamespace = (await fileSystemOf(path)) === NAMESPACE_FILE_SYSTEM;
  // A DEL fails where an ADD was killed half-way (there is a link but no masquerading); without the namespace it only
  // releases addresses, and what else there may be is removed here.
  const isRemoved = isNamespace && (await isRemovedFromNetwork(attachmentOf(record, path), result));
  await attempt(() => removeMasquerade(record.containerId));
  if (isNamespace) await attempt(() => runHostTool(["ip", "netns", "delete", record.namespace]));
  // `ip netns add` makes the file first and may have been killed before it was a namespace.
  else await attempt(() => rm(path, { force: true }));
  if (!isRemoved) await attempt(() => removeFromNetwork(attachmentOf(record, ""), result));
  if (failures.length > 0) throw new Error(failures.join("; "));
  await removeMachineRecord(directory, record);
}

async function isRemovedFromNetwork(attachment: CniAttachment, result: unknown): Promise<boolean> {
  return removeFromNetwork(attachment, result).then(
    () => true,
    () => false,
  );
}

/** From linux/magic.h. */
const NAMESPACE_FILE_SYSTEM = 0x6e736673;

function namespacePath(namespace: string): string {
  return `/var/run/netns/${namespace}`;
}

function attachmentOf(record: MachineRecord, path: string): CniAttachment {
  const { list, containerId, interfaceName, binPath } = record;
  return { list, containerId, interfaceName, binPath, namespacePath: path };
}

async function fileSystemOf(path: string): Promise<number | undefined> {
  try {
    return (await statfs(path)).type;
  } catch {
    return undefined;
  }
}
