import {
  hasForeignForwarding,
  renderFirewall,
  renderMasqueradeRemoval,
  renderRemoval,
} from "./firewall-rules.ts";
import type { FirewallMachine, FirewallPlan } from "./firewall-rules.ts";
import { runHostTool } from "./host-tools.ts";

/** Seconds to wait for the lock of other users of iptables. */
const LOCK_SECONDS = "20";

/** The rules of one node in the host's packet filter. Not there before `start`. */
export class Firewall {
  readonly #plan: Omit<FirewallPlan, "machines" | "metadataPort">;
  readonly #machines = new Map<string, FirewallMachine>();
  #metadataPort: number | undefined;
  #changes: Promise<unknown> = Promise.resolve();

  constructor(plan: Omit<FirewallPlan, "machines" | "metadataPort">) {
    this.#plan = plan;
  }

  start(): Promise<void> {
    return this.#apply();
  }

  /** Takes effect with the next machine. */
  serveMetadata(port: number): void {
    this.#metadataPort = port;
  }

  async admit(id: string, machine: FirewallMachine): Promise<void> {
    this.#machines.set(id, machine);
    await this.#apply();
  }

  async forget(id: string): Promise<void> {
    if (this.#machines.delete(id)) await this.#apply();
  }

  /** Runs of the same node one after the other: each replaces all (R3). */
  #apply(): Promise<void> {
    const change = this.#changes.then(async () => {
      const plan: FirewallPlan = {
        ...this.#plan,
        machines: [...this.#machines.values()],
        ...(this.#metadataPort === undefined ? {} : { metadataPort: this.#metadataPort }),
      };
      await restore(renderFirewall(plan, await savedRules()));
    });
    this.#changes = change.catch(() => {});
    return change;
  }
}

/** Removes all rules of a node, also of one that was killed. */
export async function removeFirewall(chain: string): Promise<void> {
  await restore(renderRemoval(await savedRules(), chain));
}

/** Removes the masquerading of a container that its plugin has left behind. */
export async function removeMasquerade(containerId: string): Promise<void> {
  await restore(renderMasqueradeRemoval(await savedRules(), containerId));
}

/** Whether somebody else on this host routes or translates. */
export async function isForwardingNeeded(chain: string): Promise<boolean> {
  return hasForeignForwarding(await savedRules(), chain);
}

function savedRules(): Promise<string> {
  return runHostTool(["iptables-save"]);
}

async function restore(input: string): Promise<void> {
  if (input === "") return;
  await runHostTool(["iptables-restore", "--wait", LOCK_SECONDS, "--noflush"], { input });
}
