import { NexError } from "../lib/errors.ts";
import { missingTexts } from "../preflight/examine.ts";
import { hostRequirements } from "../preflight/requirements.ts";
import type { NodeConfiguration } from "./configuration.ts";
import { hostPlan } from "./host-plan.ts";

/**
 * Looks for everything that a node with this configuration needs, before anything starts. `searchPath`: the environment
 * variable PATH.
 *
 * @throws {NexError} `SANDBOX_UNAVAILABLE` naming all that is missing, a line each
 */
export async function checkHost(configuration: NodeConfiguration, searchPath: string): Promise<void> {
  const missing = await missingTexts(hostRequirements(hostPlan(configuration, searchPath)));
  if (missing.length === 0) return;
  throw new NexError({
    code: "SANDBOX_UNAVAILABLE",
    message: `Cannot start the node:\n${missing.join("\n")}`,
    hint: configuration.no_sandbox
      ? "Install Nex again, or build the agent with `npm run build`"
      : "Get this host ready with `nex node preflight`, or run workloads without a sandbox: `nex node up --no-sandbox`",
  });
}
