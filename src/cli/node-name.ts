type Tags = Readonly<Record<string, string>> | undefined;

/** What the CLI calls a node: its tag `node_name`. */
export function nodeName(tags: Tags): string {
  return tags?.["node_name"] ?? "no-name";
}

/** Whether a node takes no more workloads. */
export function isLameDuck(tags: Tags): boolean {
  return tags?.["nex.lameduck"] === "true";
}
