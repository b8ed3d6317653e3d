import { writeFile } from "node:fs/promises";
import { NexError, errorText } from "../../lib/errors.ts";

/** The configuration of protocol.md 12.3. */
const BASICS = {
  default_resource_dir: "/tmp/nex",
  machine_pool_size: 1,
  internal_node_host: "10.10.10.1",
  cni: { network_name: "fcnet", interface_name: "veth0", subnet: "10.10.10.0/24" },
  machine_template: { vcpu_count: 1, memsize_mib: 256 },
  tags: { simple: "true" },
} as const;

/** Writes a node configuration; false when there is one already, which is left alone. */
export async function writeInitialConfiguration(
  path: string,
  mode: "sandbox" | "nosandbox",
): Promise<boolean> {
  const content = mode === "nosandbox" ? { no_sandbox: true, ...BASICS } : BASICS;
  try {
    await writeFile(path, `${JSON.stringify(content, null, 2)}\n`, { flag: "wx" });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new NexError({
      code: "STARTER_UNWRITABLE",
      message: `Cannot write node configuration "${path}": ${errorText(cause)}`,
      cause,
    });
  }
}
