import { errorText } from "../../lib/errors.ts";
import { isLameDuck, nodeName } from "../node-name.ts";
import { counted } from "./check.ts";
import type { Finding, Patient } from "./check.ts";

/** The nodes that answer, what they run, and whether one takes workloads. */
export async function checkNodes(patient: Patient): Promise<Finding> {
  const { client, context } = patient;
  const replies = await patient.nodes();
  if (replies.length === 0) {
    return {
      status: "failed",
      summary: `none answers within ${context.global.timeout} ms`,
      fix: 'Start one with "nex node up", see that it uses the same NATS account, or wait longer with --timeout',
      details: { nodes: [] },
    };
  }
  const nodes = await Promise.all(
    replies.map(async ({ node_id: id, tags, version }) => {
      const known = { id, name: nodeName(tags), version, lame_duck: isLameDuck(tags) };
      try {
        const { supported_workload_types: types = [] } = await client.nodeInfo(id);
        return { ...known, types, sandboxed: tags?.["nex.unsafe"] !== "true" };
      } catch (error) {
        return { ...known, types: [], sandboxed: tags?.["nex.unsafe"] !== "true", problem: errorText(error) };
      }
    }),
  );
  const details = { nodes };
  const lameDucks = nodes.filter((node) => node.lame_duck).length;
  const versions = [...new Set(nodes.map(({ version }) => version))];
  const types = [...new Set(nodes.flatMap((node) => node.types))].sort();
  const summary = [
    counted(nodes.length, "node"),
    lameDucks === 0 ? "" : `${lameDucks} in lame duck mode`,
    `version ${versions.join(", ")}`,
    `types ${types.join(", ") || "unknown"}`,
    nodes.some(({ sandboxed }) => !sandboxed) ? "some without sandbox" : "",
  ]
    .filter((part) => part !== "")
    .join(", ");
  const silent = nodes.filter((node) => "problem" in node);
  if (lameDucks === nodes.length) {
    const fix = 'Start a node that takes workloads with "nex node up"';
    return { status: "failed", summary: `no node takes workloads: ${summary}`, fix, details };
  }
  if (silent.length > 0) {
    const names = silent.map(({ name }) => name).join(", ");
    const fix = "See whether the user may publish $NEX.INFO.>, and whether these nodes are overloaded";
    return { status: "failed", summary: `${names} did not answer INFO: ${summary}`, fix, details };
  }
  if (versions.length > 1) {
    const fix = "Bring all nodes to one version; old ones may lack what new ones offer";
    return { status: "warning", summary: `different versions: ${summary}`, fix, details };
  }
  return { status: "ok", summary, details };
}
