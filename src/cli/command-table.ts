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
  command(
    "build",
    [],
    "Make the artifact of a JavaScript or TypeScript function",
    async () => (await import("./commands/build.ts")).build,
  ),
  command("stop", [], "Stop a running workload", async () => (await import("./commands/stop.ts")).stop),
  command("ps", [], "List the workloads of all nodes", async () => (await import("./commands/ps.ts")).ps),
  command("logs", [], "Print what workloads write", async () => (await import("./commands/logs.ts")).logs),
  command(
    "events",
    [],
    "Print what happens to workloads and nodes",
    async () => (await import("./commands/events.ts")).events,
  ),
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
      command(
        "probe",
        [],
        "Find workloads on the nodes",
        async () => (await import("./commands/node-probe.ts")).nodeProbe,
      ),
      command(
        "preflight",
        [],
        "Get this host ready to run a node",
        async () => (await import("./commands/node-preflight.ts")).nodePreflight,
      ),
    ],
  },
  command(
    "rootfs",
    ["fs"],
    "Build the root file system of virtual machines",
    async () => (await import("./commands/rootfs.ts")).rootfs,
  ),
  command(
    "lameduck",
    [],
    "Let a node take no more workloads",
    async () => (await import("./commands/lameduck.ts")).lameduck,
  ),
  command(
    "req",
    [],
    "Send a request and print the reply",
    async () => (await import("./commands/req.ts")).req,
  ),
  command("pub", [], "Publish a message", async () => (await import("./commands/pub.ts")).pub),
  command("sub", [], "Print the messages of a subject", async () => (await import("./commands/sub.ts")).sub),
  {
    kind: "group",
    name: "context",
    aliases: ["contexts"],
    summary: "Show the NATS contexts",
    entries: [
      command(
        "ls",
        [],
        "List the NATS contexts",
        async () => (await import("./commands/context-ls.ts")).contextLs,
      ),
      command(
        "show",
        [],
        "Show a NATS context without its secrets",
        async () => (await import("./commands/context-show.ts")).contextShow,
      ),
    ],
  },
  command(
    "doctor",
    [],
    "Check connection, permissions, keys, clock and nodes",
    async () => (await import("./commands/doctor.ts")).doctor,
  ),
  command(
    "init",
    [],
    "Write a starter: node configuration, function and service",
    async () => (await import("./commands/init.ts")).init,
  ),
  command(
    "completion",
    [],
    "Print a completion script for a shell",
    async () => (await import("./commands/completion.ts")).completion,
  ),
  command("upgrade", [], "Print how to upgrade", async () => (await import("./commands/upgrade.ts")).upgrade),
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
