import type { ControlHandlers } from "./control-server.ts";
import { answerDeploy } from "./deploy-handler.ts";
import type { DeployHandlerOptions } from "./deploy-handler.ts";
import { answerAuction, answerInfo, answerPing, answerWorkloadPing } from "./discovery.ts";
import type { EssentialWorkloads } from "./essential-workloads.ts";
import type { LameDuck } from "./lame-duck.ts";
import { answerStop } from "./stop-handler.ts";

/** What the control API works on. */
export interface ControlHandlerOptions extends DeployHandlerOptions {
  readonly essential: EssentialWorkloads;
  readonly lameDuck: LameDuck;
}

/** The handlers of all requests of the control API. */
export function createControlHandlers(options: ControlHandlerOptions): ControlHandlers {
  const { node, essential, lameDuck } = options;
  return {
    ping: () => answerPing(node),
    auction: (body) => answerAuction(node, body),
    workloadPing: (namespace, idOrName) => answerWorkloadPing(node, essential, { namespace, idOrName }),
    info: async (namespace) => answerInfo(node, essential, namespace),
    deploy: async (namespace, body) => answerDeploy(options, namespace, body),
    stop: async (namespace, body) => answerStop(options, namespace, body),
    lameDuck: (body) => lameDuck.answer(body),
  };
}
