import * as z from "zod";
import { parseJson } from "./json.ts";
import type { AgentMetadata } from "./metadata.ts";

/** Where the metadata service of virtual machines is, for every monitor. */
export const METADATA_SERVICE = "http://169.254.169.254";

/** What an agent in a virtual machine says in its handshake. */
const HOST_SUPPLIED = "Host-supplied metadata";

/** The document of the metadata service (protocol.md 5.2). */
const MachineMetadata = z.object({
  vmid: z.string().regex(/^[A-Za-z0-9]+$/, "not letters and digits"),
  node_nats_host: z.string().min(1),
  node_nats_port: z.number().int().min(1).max(65_535),
  node_nats_nkey: z.string().min(1),
  message: z.string().nullish(),
});
type MachineMetadata = z.output<typeof MachineMetadata>;

/** What an agent in a virtual machine is told, as `SandboxSpec.metadata`. */
export function encodeMachineMetadata({
  workloadId,
  host,
  port,
  nkeySeed,
}: {
  readonly workloadId: string;
  readonly host: string;
  readonly port: number;
  readonly nkeySeed: string;
}): Readonly<Record<string, string | number>> {
  const document: MachineMetadata & { readonly message: string } = {
    vmid: workloadId,
    node_nats_host: host,
    node_nats_port: port,
    node_nats_nkey: nkeySeed,
    message: HOST_SUPPLIED,
  };
  return document;
}

/** Metadata, and what its source asks to be said in the handshake. */
export interface ToldMetadata {
  readonly metadata: AgentMetadata;
  readonly message: string;
}

/** @throws {NexError} `AGENT_MESSAGE_INVALID` */
export function parseMachineMetadata(body: Uint8Array): ToldMetadata {
  const document = parseJson("the metadata of a virtual machine", MachineMetadata, body);
  return {
    metadata: {
      workloadId: document.vmid,
      sandboxed: true,
      transport: {
        kind: "network",
        host: document.node_nats_host,
        port: document.node_nats_port,
        nkeySeed: document.node_nats_nkey,
      },
    },
    message: document.message ?? HOST_SUPPLIED,
  };
}
