import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Finding } from "../../preflight/requirement.ts";
import { usageError } from "../arguments/usage-error.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import type { Environment } from "../command.ts";
import { startQuestions } from "../output/ask.ts";
import { startStepLine } from "../output/step-line.ts";
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
    "node preflight --config=examples/nodeconfigs/nosandbox.json --check",
  ],
  json: `{"ok": true, "requirements": [{"name": "ptp", "description": "ptp CNI plugin",
  "status": "satisfied" | "missing" | "changed", "location": "/usr/lib/cni/ptp" (unless missing)}, …],
  "virtualization": {"kind": "kvm" | "emulation" | "unknown", "detail": "…"} (in sandbox mode)}`,
  run: async ({ flags, sources, output, logger, signal, environment, build }) => {
    if (flags.install_version !== undefined && flags.install_version !== build.version) {
      throw usageError(`flag '--install_version' can only be ${build.version}, the version of this package`);
    }
    if (flags.check && flags.force) throw usageError("flags '--check' and '--force' exclude each other");
    if (flags.init !== undefined) {
      const { writeInitialConfiguration } = await import("../preflight/initial-configuration.ts");
      if (await writeInitialConfiguration(flags.config, flags.init)) output.note(`Wrote ${flags.config}`);
      else logger.warn("There is a configuration already; it is left alone", { config_path: flags.config });
    }
    const { loadConfiguration } = await import("../../node/configuration.ts");
    const { hostPlan } = await import("../../node/host-plan.ts");
    const isDefault = sources["config"] === "default" && !existsSync(flags.config);
    const configuration = await loadConfiguration(
      isDefault ? undefined : flags.config,
      isDefault ? DEFAULTS : {},
    );
    const given = hostPlan(configuration, environment["PATH"] ?? "");
    const plan =
      flags.cni_ns.length === 0
        ? given
        : { ...given, conflist: { ...given.conflist, nameservers: flags.cni_ns } };
    const { hostRequirements } = await import("../../preflight/requirements.ts");
    const { imageMakers } = await import("../preflight/image-makers.ts");
    const { prepareHost } = await import("../preflight/prepare-host.ts");
    using questions = startQuestions(process.stdin, output.stderr, signal);
    using steps = startStepLine(output.stderr);
    const findings = await prepareHost({
      plan,
      requirements: hostRequirements(plan, imageMakers(plan)),
      check: flags.check,
      force: flags.force,
      verify: flags.verify,
      verbose: flags.verbose,
      agree: async ({ description }) => {
        if (flags.yes) return true;
        const question = `⛔ You are missing required dependencies for [${description}], do you want to install? [y/N] `;
        steps.clear();
        return /^y$/i.test((await questions.ask(question))?.trim() ?? "");
      },
      install: {
        cacheDirectory: downloadCache(environment),
        environment: definedOnly(environment),
        report: steps.show,
        signal,
      },
      output: flags.json
        ? undefined
        : {
            line: (text) => {
              steps.clear();
              output.line(text);
            },
          },
    });
    const ok = findings.every(({ kind }) => kind === "satisfied");
    if (flags.json) output.json({ ok, requirements: findings.map(jsonOf) });
  },
});

/** Without a configuration: what the examples use. */
const DEFAULTS = { default_resource_dir: "/tmp/nex" } as const;

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
