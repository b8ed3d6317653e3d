import type { NatsConnection } from "@nats-io/transport-node";
import type { ControlClient, PingReply } from "../../control-api/index.ts";
import type { ConnectionContext } from "../connection.ts";

/** How a check ended. Only `failed` makes the doctor fail. */
export type CheckStatus = "ok" | "warning" | "failed" | "skipped";

/** What a check found out. */
export interface Finding {
  readonly status: CheckStatus;
  /** One sentence without full stop. */
  readonly summary: string;
  /** What to do about it; there for every failure. */
  readonly fix?: string;
  /** Figures behind the summary, for `--json`. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What every check can look at. */
export interface LocalPatient {
  readonly context: ConnectionContext;
  readonly timeoutMs: number;
}

/** What checks can look at that need NATS. */
export interface Patient extends LocalPatient {
  readonly connection: NatsConnection;
  readonly client: ControlClient;
  readonly namespace: string;
  readonly jetStreamDomain: string | undefined;
  /** Every node that answers in time; asked once. */
  readonly nodes: () => Promise<readonly PingReply[]>;
}

/** One thing that the doctor looks at. */
export type Check =
  | {
      readonly name: string;
      readonly needsConnection: false;
      readonly run: (patient: LocalPatient) => Promise<Finding>;
    }
  | {
      readonly name: string;
      readonly needsConnection: true;
      readonly run: (patient: Patient) => Promise<Finding>;
    };

/** `1 node`, `2 nodes`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
