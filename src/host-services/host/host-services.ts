/**
 * The host half of the host services: what the node serves to the functions it runs. The guest half (`guest/`) makes
 * the calls; between them lies the agent link (protocol.md section 6).
 */
import { ServiceFailure } from "./service-failure.ts";

/** One call as it arrives: service and method come from the subject, the rest from the message. */
export interface HostServiceCall {
  readonly service: string;
  readonly method: string;
  /** Wire headers such as `x-keyvalue-key`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** After this time nobody waits for the answer. Default none. */
  readonly timeoutMs?: number | undefined;
}

/** The answer: anything but code 200 is an error whose text is `message`. */
export interface HostServiceResult {
  readonly code: number;
  readonly message: string;
  readonly body: Uint8Array;
}

/** One service (`kv`, `http`, …) on behalf of one workload. May reject: the caller is answered with code 500. */
export type HostService = (call: HostServiceCall) => Promise<HostServiceResult>;

/** The services of one workload, by their names on the wire; a disabled one is absent. */
export type HostServiceTable = ReadonlyMap<string, HostService>;

/** What the node keeps for the calls of one workload. */
export interface WorkloadServices {
  readonly table: HostServiceTable;
  /** Marks the time of one invocation until it is disposed: calls per invocation are counted by it. */
  invocation(): Disposable;
  /** Whether it has ever called a service whose answer is made by others: by HTTP, or by a request over NATS. */
  readonly asksOthers: boolean;
  /** Longest reply to a trigger that the server takes, in bytes; undefined when it is not known. */
  readonly maxReplyBytes: number | undefined;
}

/** A workload that may call nothing. */
export const NO_SERVICES: WorkloadServices = {
  table: new Map(),
  invocation: () => ({ [Symbol.dispose]: () => {} }),
  asksOthers: false,
  maxReplyBytes: undefined,
};

const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** A good answer: bytes as they are, anything else as JSON. */
export function succeeded(value: unknown): HostServiceResult {
  const body = value instanceof Uint8Array ? value : encoder.encode(JSON.stringify(value));
  return { code: 200, message: "OK", body };
}

/** Answers one call (protocol.md 6.1). Never rejects; calls run side by side. */
export async function answerHostServiceCall(
  services: HostServiceTable,
  call: HostServiceCall,
): Promise<HostServiceResult> {
  const service = services.get(call.service);
  if (service === undefined)
    return { code: 404, message: `No such host service: ${call.service}`, body: NOTHING };
  try {
    return await service(call);
  } catch (error) {
    if (error instanceof ServiceFailure) return { code: error.status, message: error.message, body: NOTHING };
    const detail = error instanceof Error ? error.message : String(error);
    return { code: 500, message: `Failed to execute host service method: ${detail}`, body: NOTHING };
  }
}
