/**
 * The guest half of the host services: what a function's runtime calls. The host half (`host/`) answers the same
 * calls on the node; between them lies the agent link (protocol.md section 6).
 */

/** The services of protocol.md section 6, by their names on the wire. */
export type HostServiceName = "http" | "kv" | "objectstore" | "messaging";

/** One call of a host service method. */
export interface HostServiceCall {
  readonly service: HostServiceName;
  /** Method name on the wire: `get`, `put`, `requestMany`, … */
  readonly method: string;
  /** Wire headers such as `x-keyvalue-key`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The answer: anything but code 200 is an error whose text is `message`. */
export interface HostServiceResult {
  readonly code: number;
  readonly message: string;
  readonly body: Uint8Array;
}

/** Reaches the node's host services on behalf of one workload. Settles within its own time limit, never rejects. */
export interface HostServices {
  call(call: HostServiceCall): Promise<HostServiceResult>;
  /**
   * The same with the calling thread waiting for the answer, `timeoutMs` at most. Never throws. Undefined where the way
   * to the node cannot be waited for like that.
   */
  readonly callBlocking?: ((call: HostServiceCall, timeoutMs: number) => HostServiceResult) | undefined;
}
