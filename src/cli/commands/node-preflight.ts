import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { NexError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/logger.ts";
import type { NodeConfiguration } from "../../node/configuration.ts";
import type { HostPlan } from "../../preflight/host-plan.ts";
import type { Finding } from "../../preflight/requirement.ts";
import type { ValueSource } from "../arguments/flag.ts";
import { usageError } from "../arguments/usage-error.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import type { Environment } from "../command.ts";
import { startQuestions } from "../output/ask.ts";
import type { Output } from "../output/output.ts";
import { startStepLine } from "../output/step-line.ts";
import type { MachineVerdict } from "../preflight/judge-machines.ts";
import { DEFAULT_CONFIGURATION } from "../default-configuration.ts";

/** `nex node preflight`: gets a host ready to run a node. */
export const nodePreflight = defineCommand({
  description:
    "Lists what a node with this configuration needs of this host and installs what is missing: from the mirrors of the configuration, from Debian's packages, or by making it here. Asks before each; whatever it downloads is checked before it is used. At the end it boots a guest, to tell whether KVM really works.",
  flags: {
    config: {
      kind: "string",
      default: DEFAULT_CONFIGURATION,
      placeholder: "FILE",
      help: "Configuration of the node",
      completes: "file",
    },
    init: {
      kind: "string",
      choices: ["sandbox", "nosandbox"],
      help: "Write a configuration first, if there is none",
    },
    check: { kind: "boolean", negatable: true, help: "Only list, install nothing" },
    yes: { kind: "boolean", help: "Install without asking" },
    force: { kind: "boolean", negatable: true, help: "Install everything again, without asking" },
    verify: { kind: "boolean", negatable: true, help: "Compare installed files with the SHA-256 they had" },
    verbose: { kind: "boolean", negatable: true, help: "Name the directories that are searched" },
    cni_ns: {
      kind: "strings",
      placeholder: "ADDRESS",
      help: "Name server of virtual machines, for a generated CNI configuration (repeatable)",
    },
    install_version: {
      kind: "string",
      placeholder: "VERSION",
      help: "Version of the agent and the root file system: only that of this package",
    },
    json: jsonFlag,
  },
  examples: [
    "node preflight --init=nosandbox --config=node.json",
    "node preflight --config=node.json --check",
  ],
  json: `{"ok": true, "requirements": [{"name": "ptp", "description": "ptp CNI plugin",
  "status": "satisfied" | "missing" | "changed", "location": "/usr/lib/cni/ptp" (unless missing)}, …],
  "kernel": {"detail": "…", "firecracker": null | "why it cannot boot it", "qemu": …} (in sandbox mode),
  "virtualization": {"kind": "kvm" | "emulation" | "unknown" | "failed", "detail": "…",
  "hint": "…" and "lastLines": ["…"] (with failed)} (in sandbox mode)}`,
  run: async ({ flags, sources, output, logger, signal, environment, build }) => {
    if (flags.install_version !== undefined && flags.install_version !== build.version) {
      throw usageError(`flag '--install_version' can only be ${build.version}, the version of this package`);
    }
    if (flags.check && flags.force) throw usageError("flags '--check' and '--force' exclude each other");
    if (flags.init !== undefined) await initialize(flags.config, flags.init, output, logger);
    const configuration = await readConfiguration(flags.config, sources["config"]);
    const { hostPlan } = await import("../../node/host-plan.ts");
    const plan = withNameservers(hostPlan(configuration, environment["PATH"] ?? ""), flags.cni_ns);
    const { hostRequirements } = await import("../../preflight/requirements.ts");
    const { askToInstall } = await import("../preflight/agreement.ts");
    const { imageMakers } = await import("../preflight/image-makers.ts");
    const { prepareHost } = await import("../preflight/prepare-host.ts");
    using questions = startQuestions(process.stdin, output.stderr, signal);
    using steps = startStepLine(output.stderr);
    const line = (text: string): void => {
      if (flags.json) return;
      steps.clear();
      output.line(text);
    };
    const findings = await prepareHost({
      plan,
      requirements: hostRequirements(plan, imageMakers(plan)),
      check: flags.check,
      force: flags.force,
      verify: flags.verify,
      verbose: flags.verbose,
      agree: async (finding) => {
        steps.clear();
        if (!flags.yes) await askToInstall(questions, finding);
      },
      install: {
        cacheDirectory: downloadCache(environment),
        environment: definedOnly(environment),
        report: steps.show,
        signal,
      },
      line,
    });
    const { kernel, virtualization } = plan.sandbox === "process" ? {} : await judge();
    const isPrepared = findings.every(({ kind }) => kind === "satisfied");
    const ok = isPrepared && virtualization?.kind !== "failed";
    if (flags.json) {
      output.json({
        ok,
        requirements: findings.map(jsonOf),
        ...(kernel === undefined ? {} : { kernel }),
        ...(virtualization === undefined ? {} : { virtualization }),
      });
    }
    if (virtualization?.kind !== "failed" || flags.check) return;
    throw new NexError({
      code: "PREFLIGHT_FAILED",
      message: "This host runs no virtual machines",
      hint: virtualization.hint,
    });

    async function judge(): Promise<MachineVerdict> {
      const { judgeMachines } = await import("../preflight/judge-machines.ts");
      const { check, force } = flags;
      return judgeMachines({ configuration, plan, check, force, report: steps.show, signal, line });
    }
  },
});

/** Without a configuration: what the examples use. */
const DEFAULTS = { default_resource_dir: "/tmp/nex" } as const;

async function initialize(
  path: string,
  mode: "sandbox" | "nosandbox",
  output: Output,
  logger: Logger,
): Promise<void> {
  const { writeInitialConfiguration } = await import("../preflight/initial-configuration.ts");
  if (await writeInitialConfiguration(path, mode)) output.note(`Wrote ${path}`);
  else logger.warn("There is a configuration already; it is left alone", { config_path: path });
}

async function readConfiguration(path: string, source: ValueSource | undefined): Promise<NodeConfiguration> {
  const { loadConfiguration } = await import("../../node/configuration.ts");
  const isDefault = source === "default" && !existsSync(path);
  return isDefault ? loadConfiguration(undefined, DEFAULTS) : loadConfiguration(path);
}

/** Those of the flags go before the configured ones. */
function withNameservers(plan: HostPlan, nameservers: readonly string[]): HostPlan {
  if (nameservers.length === 0) return plan;
  return { ...plan, conflist: { ...plan.conflist, nameservers } };
}

function downloadCache({ XDG_CACHE_HOME: cache, HOME: home }: Environment): string {
  return join(cache || join(home || homedir(), ".cache"), "nex", "downloads");
}

function definedOnly(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

function jsonOf(finding: Finding): object {
  const { name, description } = finding.requirement;
  const location = finding.kind === "missing" ? {} : { location: finding.location };
  return { name, description, status: finding.kind, ...location };
}
