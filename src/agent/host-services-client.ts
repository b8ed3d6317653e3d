import { agentSubjects } from "../agent-api/agent-subjects.ts";
import type { BlockingCalls } from "../agent-api/blocking-calls.ts";
import type { Link } from "../agent-api/link.ts";
import { parseRpcResult, withRpcTimeout } from "../agent-api/rpc.ts";
import { errorText } from "../lib/errors.ts";
import type {
  HostServiceCall,
  HostServiceResult,
  HostServices,
} from "../host-services/guest/host-services.ts";

/** Longest wait for the answer of a host service (protocol.md 16). */
const CALL_TIMEOUT_MS = 5000;
const COARSE_MS = 250;

/** How a workload's calls reach the node. */
export interface HostServiceWays {
  readonly link: Link;
  readonly blockingCalls: BlockingCalls | undefined;
}

/** The guest's way to the node's host services: calls over the agent link (protocol.md 6.1). */
export function createHostServices(
  { link, blockingCalls }: HostServiceWays,
  workload: { readonly id: string; readonly namespace: string; readonly workloadName: string },
): HostServices {
  let last = { service: "", method: "", subject: "" };
  const subjectOf = ({ service, method }: HostServiceCall): string => {
    if (last.service !== service || last.method !== method)
      last = { service, method, subject: agentSubjects.rpc({ ...workload, service, method }) };
    return last.subject;
  };
  return {
    call: async (call) => {
      try {
        const options = { timeoutMs: CALL_TIMEOUT_MS, headers: call.headers };
        return parseRpcResult(await link.request(subjectOf(call), call.body, options));
      } catch (error) {
        return failure(error);
      }
    },
    callBlocking:
      blockingCalls === undefined
        ? undefined
        : (call, timeoutMs) => {
            try {
              const headers = withRpcTimeout(call.headers, coarse(Math.min(timeoutMs, CALL_TIMEOUT_MS)));
              return parseRpcResult(blockingCalls.request(subjectOf(call), call.body, headers));
            } catch (error) {
              return failure(error);
            }
          },
  };
}

/** A time that many calls have in common, so that their requests are alike. */
function coarse(timeoutMs: number): number {
  return timeoutMs < COARSE_MS ? timeoutMs : timeoutMs - (timeoutMs % COARSE_MS);
}

function failure(error: unknown): HostServiceResult {
  return { code: 500, message: errorText(error), body: new Uint8Array(0) };
}
