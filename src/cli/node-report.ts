import type { InfoReply, LastExit, Machine } from "../control-api/index.ts";
import { renderColumnReport, withThousands } from "./output/column-report.ts";
import type { ReportLine, ReportSection } from "./output/column-report.ts";
import { renderTable } from "./output/table.ts";

/** How the workloads of a node are shown: as the documentation does, with all details, or as a table. */
export type NodeReportForm = "list" | "full" | "table";

/** The report of `nex node info` (protocol section 10.8), its table made for a terminal of `columns`; no newline at its end. */
export function renderNodeReport(
  nodeId: string,
  info: InfoReply,
  { form = "list", columns }: { readonly form?: NodeReportForm; readonly columns?: number | undefined } = {},
): string {
  const sections = [nodeSection(nodeId, info), ...memorySection(info)];
  if (form !== "table")
    return renderColumnReport(TITLE, [...sections, workloadSection(info, form === "full")], columns);
  return `${renderColumnReport(TITLE, sections, columns)}\n\n${workloadTable(info, columns)}`;
}

const TITLE = "NEX Node Information";

function nodeSection(nodeId: string, info: InfoReply): ReportSection {
  const { public_xkey, version, uptime, tags = {}, isolation } = info;
  const block: ReportLine[] = [
    ["Node", nodeId],
    ["Xkey", public_xkey],
    ["Version", version],
    ["Uptime", uptime],
  ];
  const names = Object.keys(tags).sort();
  if (names.length > 0) block.push(["Tags", names.map((name) => `${name}=${tags[name]}`).join(", ")]);
  if (isolation !== undefined) block.push(["Isolation", isolation]);
  return { blocks: [block] };
}

function memorySection({ memory }: InfoReply): ReportSection[] {
  if (memory === undefined) return [];
  const block: ReportLine[] = [
    ["Free", withThousands(memory.free)],
    ["Available", withThousands(memory.available)],
    ["Total", withThousands(memory.total)],
  ];
  return [{ heading: "Memory in kB", blocks: [block] }];
}

function workloadSection({ machines }: InfoReply, full: boolean): ReportSection {
  return {
    heading: "Workloads",
    blocks: machines.map((machine) => workloadBlock(machine, full)),
    empty: "none",
  };
}

function workloadBlock({ id, healthy, namespace, workload }: Machine, full: boolean): ReportLine[] {
  const { name, runtime, description = "", type, hash, restarts, last_exit, trigger_subjects } = workload;
  const { fresh, concurrency, instances } = workload;
  const lines: ReportLine[] = [
    ["Id", id],
    ["Healthy", String(healthy)],
    ["Runtime", runtime],
    ["Name", name],
    ["Description", description],
  ];
  if (full) {
    lines.push(["Namespace", namespace ?? ""], ["Type", type], ["Hash", hash]);
    if (trigger_subjects !== undefined) lines.push(["Trigger Subjects", trigger_subjects.join(", ")]);
    if (fresh === true) lines.push(["Fresh", "every invocation"]);
    if (instances !== undefined) lines.push(["Instances", `${instances} of at most ${concurrency ?? "?"}`]);
  }
  // What restarted is worth a look; the others say so only when asked.
  if (restarts !== undefined && (full || restarts > 0)) lines.push(["Restarts", String(restarts)]);
  if (last_exit !== undefined) lines.push(["Last Exit", lastExitText(last_exit)]);
  return lines;
}

function lastExitText({ code, reason, time }: LastExit): string {
  return `${reason} (code ${code}, ${time})`;
}

function workloadTable({ machines }: InfoReply, columns: number | undefined): string {
  const table = {
    title: "Workloads",
    headers: ["", "ID", "NAME", "RUNTIME"],
    rows: machines.map(({ id, healthy, workload }) => [
      healthy ? "🟢" : "🔴",
      id,
      workload.name,
      workload.runtime,
    ]),
    shorten: [2, 1],
  };
  return renderTable(table, columns);
}
