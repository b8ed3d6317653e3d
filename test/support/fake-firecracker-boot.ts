/**
 * A program that behaves like `firecracker --no-api --config-file FILE`: refuses a file that Firecracker's own description
 * does not allow, or that names what is not there, and runs a guest that is no guest, but knows `nex.probe`. Exit codes
 * are Firecracker's. Further argument: `--kvm`, what KVM does: `works`, `broken` or `hangs`.
 */
import { accessSync, constants, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { requireElf } from "./fake-firecracker-kernel.ts";
import { FirecrackerSchema } from "./firecracker-schema.ts";

interface Configuration {
  readonly "boot-source"?: {
    readonly kernel_image_path: string;
    readonly initrd_path?: string;
    readonly boot_args?: string;
  };
  readonly drives?: readonly { readonly path_on_host: string; readonly is_read_only?: boolean }[];
}

const { values: flags } = parseArgs({
  options: {
    "no-api": { type: "boolean" },
    "config-file": { type: "string", default: "" },
    kvm: { type: "string", default: "works" },
  },
});
const content: unknown = JSON.parse(readFileSync(flags["config-file"], "utf8"));
const complaint = new FirecrackerSchema().configurationComplaint(content) ?? look(content as Configuration);
if (complaint !== undefined) fail(152, complaint);
else if (flags.kvm === "broken") fail(1, "Error creating KVM object: Invalid argument (os error 22)");
else runGuest((content as Configuration)["boot-source"]?.boot_args ?? "");

/** What Firecracker opens at once; returns why it cannot. */
function look({ "boot-source": source, drives = [] }: Configuration): string | undefined {
  if (source === undefined) return "Cannot start microvm without kernel configuration.";
  try {
    requireElf(source.kernel_image_path);
    if (source.initrd_path !== undefined) accessSync(source.initrd_path, constants.R_OK);
    for (const { path_on_host: path, is_read_only: isReadOnly = false } of drives) {
      accessSync(path, isReadOnly ? constants.R_OK : constants.R_OK | constants.W_OK);
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function runGuest(bootArguments: string): void {
  process.stdout.write(`[    0.000000] Command line: ${bootArguments}\n`);
  if (flags.kvm === "hangs") setInterval(() => {}, 60_000);
  else if (bootArguments.split(" ").includes("nex.probe")) process.stdout.write("nex-probe: ok\n");
}

function fail(code: number, message: string): void {
  process.stderr.write(`RunWithoutApiError error: ${message}\n`);
  process.exitCode = code;
}
