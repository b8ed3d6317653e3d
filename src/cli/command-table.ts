import type { Command } from "./command.ts";

/** A command, loaded only when it is run or explained. */
export interface CommandEntry {
  readonly kind: "command";
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Commands under a common first word. */
export interface CommandGroup {
  readonly kind: "group";
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly entries: readonly CommandEntry[];
}

/** Every command of `nex`, in the order of its usage text. */
export const commandTable: readonly (CommandEntry | CommandGroup)[] = [
  command(
    "devrun",
    ["yeet"],
    "Deploy a file in development",
    async () => (await import("./commands/devrun.ts")).devrun,
  ),
  command(
    "run",
    [],
    "Deploy a workload from an object store",
    async () => (await import("./commands/run.ts")).run,
  ),
  command("stop", [], "Stop a running workload", async () => (await import("./commands/stop.ts")).stop),
  {
    kind: "group",
    name: "node",
    aliases: ["nodes"],
    summary: "Run and inspect nodes",
    entries: [
      command("up", [], "Run a node", async () => (await import("./commands/node-up.ts")).nodeUp),
      command("ls", [], "List the nodes", async () => (await import("./commands/node-ls.ts")).nodeLs),
      command(
        "info",
        [],
        "Show a node and its workloads",
        async () => (await import("./commands/node-info.ts")).nodeInfo,
      ),
    ],
  },
  command(
    "req",
    [],
    "Send a request and print the reply",
    async () => (await import("./commands/req.ts")).req,
  ),
  command("pub", [], "Publish a message", async () => (await import("./commands/pub.ts")).pub),
  command("sub", [], "Print the messages of a subject", async () => (await import("./commands/sub.ts")).sub),
  command("version", [], "Print the version", async () => (await import("./commands/version.ts")).version),
];

function command(
  name: string,
  aliases: readonly string[],
  summary: string,
  load: () => Promise<Command>,
): CommandEntry {
  return { kind: "command", name, aliases, summary, load };
}
