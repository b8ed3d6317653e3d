import { agentSubjects } from "../agent-api/agent-subjects.ts";
import type { Link } from "../agent-api/link.ts";
import { parseRpcResult } from "../agent-api/rpc.ts";
import { errorText } from "../lib/errors.ts";
import type { HostServices } from "../host-services/guest/host-services.ts";

/** Longest wait for the answer of a host service (protocol.md 16). */
const CALL_TIMEOUT_MS = 5000;

/** The guest's way to the node's host services: calls over the agent link (protocol.md 6.1). */
export function createHostServices(
  link: Link,
  workload: { readonly id: string; readonly namespace: string; readonly workloadName: string },
): HostServices {
  return {
    call: async ({ service, method, headers, body }) => {
      try {
        const subject = agentSubjects.rpc({ ...workload, service, method });
        return parseRpcResult(await link.request(subject, body, { timeoutMs: CALL_TIMEOUT_MS, headers }));
      } catch (error) {
        return { code: 500, message: errorText(error), body: new Uint8Array(0) };
      }
    },
  };
}
