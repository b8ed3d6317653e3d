/**
 * The driver contract: what starts and stops the machine (a child process, a virtual machine) that an agent runs in.
 * A driver knows no NATS and no workloads. `test/support/sandbox-contract.ts` is the suite every driver passes.
 *
 * S1 `start` resolves once the machine runs (for a virtual machine: its monitor does), and rejects with nothing left
 *    behind: no process, file, link or socket
 * S2 `exit` resolves exactly once and never rejects; its reason is the first thing that happened
 * S3 once `stop` has resolved, everything that ran in the sandbox is gone, whatever it forked or ignored
 * S4 everything in a sandbox ends within a second when the process that started it is killed with SIGKILL
 * S5 the agent sees only the metadata of its spec (and where its channel and its temporary directory are), nothing of
 *    the node's environment
 */
import type { Duplex } from "node:stream";

/** What isolates a workload from its host and its neighbours. */
export type SandboxIsolation = "process" | "virtual-machine";

/** What a driver needs to start one sandbox. */
export interface SandboxSpec {
  /** Letters and digits; also names files, links and hosts made for the sandbox. */
  readonly id: string;
  /**
   * What the agent is told: environment variables of a child process (`NEX_WORKLOADID`), the document of the metadata
   * service of a virtual machine (`vmid`, protocol.md 5.2).
   */
  readonly metadata: Readonly<Record<string, string | number>>;
  readonly resources: SandboxResources;
}

export interface SandboxResources {
  /** Virtual processors. The process driver ignores it. */
  readonly vcpuCount: number;
  /** Memory in MiB. The process driver ignores it. */
  readonly memoryMiB: number;
}

/** Whether this host can run a driver's sandboxes. `reason` names what is missing and what to do about it. */
export type SandboxProbe =
  | {
      readonly kind: "ready";
      /** What isolates a workload, shown to users: `child process (…)`, `virtual machine (qemu, software emulation)`. */
      readonly detail: string;
      /** What would isolate it more and why this host has it not, for the node's log. Default none. */
      readonly missing?: readonly string[];
    }
  | { readonly kind: "unavailable"; readonly reason: string };

/** Why a sandbox ended. */
export type SandboxExit =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signaled"; readonly signal: string }
  | { readonly kind: "stopped"; readonly forced: boolean };

/**
 * A byte stream to the agent, for drivers whose sandboxes are our own children. The link frames its messages on it.
 * Not Node's child-process IPC: that deserialises whatever an agent writes, and throws into the event loop when it is
 * malformed.
 */
export type SandboxChannel = Duplex;

/** How the node reaches the agent. `network`: the agent connects by itself, as its metadata tell it. */
export type SandboxTransport =
  | {
      readonly kind: "channel";
      readonly channel: SandboxChannel;
      /** A second stream, for requests of the agent that its only thread waits for. Absent where a driver has none. */
      readonly calls?: SandboxChannel;
    }
  | { readonly kind: "network" };

/** One line of diagnostic output of the sandbox (agent or virtual machine monitor), without its line end. */
export interface SandboxOutput {
  readonly stream: "stdout" | "stderr";
  readonly line: string;
}

/** A running sandbox. */
export interface Sandbox extends AsyncDisposable {
  readonly id: string;
  /** Process id on the host: the agent or the virtual machine monitor (or what supervises it). */
  readonly pid: number;
  readonly transport: SandboxTransport;
  readonly exit: Promise<SandboxExit>;
  /** Ends the sandbox (S3): asks, waits `graceMs` (default 5000), kills. Idempotent. */
  stop(options?: { readonly graceMs?: number }): Promise<SandboxExit>;
}

export interface SandboxStartOptions {
  readonly signal?: AbortSignal;
  readonly onOutput?: (output: SandboxOutput) => void;
}

export interface SandboxDriver extends AsyncDisposable {
  /** `process`, `qemu`, `firecracker`. */
  readonly name: string;
  readonly isolation: SandboxIsolation;
  /**
   * Least time in milliseconds that an agent of this driver needs until its handshake, where that may be longer than
   * usual: software emulation boots slowly. Default 0.
   */
  readonly bootTimeMs?: number;
  probe(): Promise<SandboxProbe>;
  /**
   * Starts one sandbox (S1).
   *
   * @throws {NexError} `SANDBOX_START_FAILED`, or `ABORTED` when `signal` fires first
   */
  start(spec: SandboxSpec, options?: SandboxStartOptions): Promise<Sandbox>;
}
