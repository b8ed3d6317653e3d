/**
 * A program that behaves like `firecracker --api-sock PATH --id ID` towards who drives it, and runs no machine. It refuses
 * calls that Firecracker's own description does not allow, in another order than Firecracker does, or that name
 * files and devices that are not there. Its guest does what the metadata say (`guest`).
 *
 * Further arguments: `--record FILE` (calls, one JSON line each), `--refuse "PUT /path"`, `--die "PUT /path"` (exit code
 * 148 instead of an answer), `--no-socket`, `--root DIRECTORY` (paths are below it, as in a jail), `--marker WORD`.
 * What it is with `--no-api` is in `fake-firecracker-boot.ts`.
 */
import { accessSync, appendFileSync, closeSync, constants, existsSync, openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import { parseArgs } from "node:util";
import { requireElf } from "./fake-firecracker-kernel.ts";
import type { FirecrackerSchema } from "./firecracker-schema.ts";

const { values: flags } = parseArgs({
  options: {
    "api-sock": { type: "string", default: "/run/firecracker.socket" },
    id: { type: "string", default: "anonymous-instance" },
    record: { type: "string" },
    refuse: { type: "string" },
    die: { type: "string" },
    "no-socket": { type: "boolean", default: false },
    root: { type: "string", default: "" },
    marker: { type: "string" },
  },
});
const configured = new Set<string>();
let bootArguments = "";
let logFile: string | undefined;
let started = false;

const server = createServer((incoming, outgoing) => {
  void readBody(incoming).then(async (body) => {
    const call = `${incoming.method} ${incoming.url}`;
    if (flags.record !== undefined) {
      appendFileSync(flags.record, `${JSON.stringify({ call, body, uid: process.getuid?.() })}\n`);
    }
    if (flags.die === call) {
      process.stderr.write("panicked at 'the test says so'\n");
      process.exit(148);
    }
    const fault = flags.refuse === call ? "The test refuses this" : take(await schema, call, body);
    outgoing.statusCode = fault === undefined ? 204 : 400;
    outgoing.end(fault === undefined ? undefined : JSON.stringify({ fault_message: fault }));
    log(fault === undefined ? `The request was executed: ${call}` : `Received error: ${fault}`);
    if (fault === undefined && call === "PUT /mmds") runGuest(body);
  });
});
// In a real jail the path is short.
if (flags.root !== "") process.chdir(flags.root);
if (!flags["no-socket"]) server.listen(flags.root === "" ? flags["api-sock"] : `.${flags["api-sock"]}`);
setInterval(() => {}, 60_000);
// Once it listens: like the original it is there at once, also on a busy host.
const schema = import("./firecracker-schema.ts").then((module) => new module.FirecrackerSchema());

async function readBody(incoming: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += String(chunk);
  return text === "" ? undefined : (JSON.parse(text) as unknown);
}

/** Does what a call says; returns why not. */
function take(schema: FirecrackerSchema, call: string, body: unknown): string | undefined {
  const [method = "", path = ""] = call.split(" ", 2);
  const complaint = schema.complaint(method, path, body) ?? orderComplaint(path);
  if (complaint !== undefined) return complaint;
  const fields = body as Record<string, string | undefined>;
  try {
    look(path, fields);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  configured.add(path);
  return undefined;
}

function orderComplaint(path: string): string | undefined {
  if (started && path !== "/mmds") {
    return "The requested operation is not supported after starting the microVM.";
  }
  if (path === "/mmds/config" && !configured.has("/network-interfaces/1")) {
    return "The network interface IDs provided for MMDS configuration are invalid";
  }
  if (path === "/mmds" && !configured.has("/mmds/config")) return "The MMDS is not configured";
  if (path === "/actions" && !configured.has("/boot-source")) {
    return "Cannot start microvm without kernel configuration.";
  }
  return undefined;
}

/** What Firecracker opens or uses at once. */
function look(path: string, fields: Record<string, string | undefined>): void {
  switch (path) {
    case "/logger":
      // Like the original: never waits for a reader of a named pipe.
      logFile = inRoot(fields["log_path"]);
      log(`Running Firecracker v1.12.0 (fake), instance ${flags.id}`);
      return;
    case "/boot-source":
      requireElf(inRoot(fields["kernel_image_path"]));
      if (fields["initrd_path"] !== undefined) accessSync(inRoot(fields["initrd_path"]), constants.R_OK);
      bootArguments = fields["boot_args"] ?? "";
      return;
    case "/drives/1":
      accessSync(inRoot(fields["path_on_host"]), constants.R_OK | constants.W_OK);
      return;
    case "/network-interfaces/1":
      if (!existsSync(`/sys/class/net/${fields["host_dev_name"]}`)) {
        throw new Error(`Open tap device failed: no device "${fields["host_dev_name"]}"`);
      }
      return;
    case "/actions":
      started = true;
  }
}

function inRoot(path = ""): string {
  return `${flags.root}${path}`;
}

function log(text: string): void {
  if (logFile === undefined) return;
  const file = openSync(logFile, constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK);
  try {
    writeSync(file, `2026-01-01T00:00:00.000000000 [${flags.id}:main] ${text}\n`);
  } catch {
    // Like the original: a log that nobody reads fast enough loses lines.
  }
  closeSync(file);
}

function runGuest(metadata: unknown): void {
  process.stdout.write(`[    0.000000] Command line: ${bootArguments}\n`);
  switch ((metadata as { guest?: string }).guest ?? "stays") {
    case "leaves":
      log("Vmm is stopping.");
      process.exit(0);
    case "floods":
      for (let index = 0; index < 5000; index += 1)
        process.stdout.write(`flood ${index} ${"x".repeat(2000)}\n`);
      for (let index = 0; index < 2000; index += 1) log(`log ${index}`);
      return;
    case "panics":
      log("RebootReason: the guest panicked");
      process.exit(1);
    default:
      process.stdout.write("guest is up\n");
  }
}
