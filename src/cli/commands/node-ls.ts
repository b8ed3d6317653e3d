import type { PingReply } from "../../control-api/index.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { withControlClient } from "../connection.ts";
import { isLameDuck, nodeName } from "../node-name.ts";
import { renderTable } from "../output/table.ts";
import type { Table } from "../output/table.ts";

/** A node as `nex node ls --json` prints it. */
export interface ListedNode {
  readonly id: string;
  readonly name: string;
  readonly nexus: string;
  readonly version: string;
  /** Deployed workloads over all namespaces. */
  readonly workloads: number;
  readonly uptime: string;
  readonly lame_duck: boolean;
  readonly sandboxed: boolean;
  readonly os: string;
  readonly arch: string;
  readonly xkey: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** `nex node ls`: every node that answers in time. */
export const nodeLs = defineCommand({
  description:
    "Lists the nodes that answer within --timeout, sorted by name. A * behind the id marks a node in lame duck mode, which takes no more workloads.",
  flags: {
    full: { kind: "boolean", help: "Also show nexus, sandbox, operating system and architecture" },
    json: jsonFlag,
  },
  examples: ["node ls", "node ls --full --timeout=500ms"],
  json: `[{"id": "N…", "name": "quiet-otter", "nexus": "nexus", "version": "0.2.7", "workloads": 2, "uptime": "8m47s",
  "lame_duck": false, "sandboxed": true, "os": "linux", "arch": "amd64", "xkey": "X…", "tags": {…}}, …]`,
  run: async (context) => {
    const { flags, output } = context;
    const replies = await withControlClient(context, (client) => client.listNodes());
    const nodes = replies.map(listedNode).sort(flags.full ? byNexusAndName : byName);
    if (flags.json) output.json(nodes);
    else if (nodes.length === 0) output.line("No nodes discovered");
    else output.line(`${renderTable(flags.full ? fullTable(nodes) : shortTable(nodes), output.columns)}\n`);
  },
});

/** What a node's answer says, with defaults for missing tags. */
export function listedNode(reply: PingReply): ListedNode {
  const { tags = {} } = reply;
  return {
    id: reply.node_id,
    name: nodeName(tags),
    nexus: reply.nexus ?? "",
    version: reply.version,
    workloads: reply.running_machines,
    uptime: reply.uptime,
    lame_duck: isLameDuck(tags),
    sandboxed: tags["nex.unsafe"] !== "true",
    os: tags["nex.os"] ?? "unknown",
    arch: tags["nex.arch"] ?? "unknown",
    xkey: reply.target_xkey,
    tags,
  };
}

/** The table without `--full` (protocol sections 10.6 and 19). */
export function shortTable(nodes: readonly ListedNode[]): Table {
  return {
    title: TITLE,
    headers: [ID_HEADER, "Name", "Version", "Workloads", "Uptime"],
    rows: nodes.map((node) => [idCell(node), node.name, node.version, node.workloads, node.uptime]),
    shorten: [0, 1],
  };
}

function fullTable(nodes: readonly ListedNode[]): Table {
  return {
    title: TITLE,
    headers: ["Nexus", ID_HEADER, "Name", "Version", "Workloads", "Uptime", "Sandboxed", "OS", "Arch"],
    rows: nodes.map((node) => {
      const { nexus, name, version, workloads, uptime, sandboxed, os, arch } = node;
      return [nexus, idCell(node), name, version, workloads, uptime, String(sandboxed), os, arch];
    }),
    shorten: [1, 2, 0],
  };
}

const TITLE = "NATS Execution Nodes";
const ID_HEADER = "ID (* = Lameduck Mode)";

function idCell(node: ListedNode): string {
  return node.lame_duck ? `${node.id}*` : node.id;
}

function byName(a: ListedNode, b: ListedNode): number {
  return compare(a.name, b.name) || compare(a.id, b.id);
}

function byNexusAndName(a: ListedNode, b: ListedNode): number {
  return compare(a.nexus, b.nexus) || byName(a, b);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
