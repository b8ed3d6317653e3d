import { NexError } from "../../lib/errors.ts";
import { examine } from "../../preflight/examine.ts";
import type { HostPlan } from "../../preflight/host-plan.ts";
import { install } from "../../preflight/install.ts";
import { recordSum, verify } from "../../preflight/installed-sums.ts";
import type { Finding, InstallContext, Requirement } from "../../preflight/requirement.ts";

export interface PreparationOptions {
  readonly plan: HostPlan;
  readonly requirements: readonly Requirement[];
  /** Only look. */
  readonly check: boolean;
  /** Install everything again. */
  readonly force: boolean;
  /** Compare what was installed with its recorded SHA-256. */
  readonly verify: boolean;
  readonly verbose: boolean;
  /**
   * Resolves when something may be installed; not asked with `force`.
   *
   * @throws {NexError} `PREFLIGHT_FAILED` when it may not
   */
  readonly agree: (finding: Finding) => Promise<void>;
  readonly install: Omit<InstallContext, "target" | "force">;
  /** Gets the list. */
  readonly line: (text: string) => void;
}

/**
 * Lists what is there and what is not, and installs what is missing.
 *
 * @throws {NexError} `PREFLIGHT_FAILED`, `ABORTED`
 */
export async function prepareHost(options: PreparationOptions): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const requirement of options.requirements) {
    const found = await look(requirement, options);
    const isWanted = found.kind !== "satisfied" || (options.force && requirement.sources.length > 0);
    for (const tool of isWanted ? (requirement.tools ?? []) : []) {
      if (findings.some((finding) => finding.requirement.name === tool.name)) continue;
      const foundTool = await look(tool, options);
      findings.push(foundTool.kind === "satisfied" ? foundTool : await get(foundTool, options));
    }
    findings.push(isWanted ? await get(found, options) : found);
  }
  return findings;
}

async function look(requirement: Requirement, options: PreparationOptions): Promise<Finding> {
  const { line, plan } = options;
  options.install.signal?.throwIfAborted();
  if (options.verbose) line(`Validating - ${requirement.description}`);
  const found = await examine(requirement, (directory) => {
    if (options.verbose) line(`\t  🔎 Searching - ${directory}`);
  });
  const finding = options.verify ? await verify(plan, found) : found;
  line(findingLine(finding));
  return finding;
}

async function get(found: Finding, options: PreparationOptions): Promise<Finding> {
  const { requirement } = found;
  const { plan } = options;
  if (options.check) return found;
  if (requirement.sources.length === 0) {
    const message = `Cannot install ${requirement.description}`;
    throw new NexError({ code: "PREFLIGHT_FAILED", message, hint: requirement.instruction });
  }
  if (!options.force) await options.agree(found);
  const force = options.force || found.kind === "changed";
  const { location, source } = await install(requirement, { ...options.install, force });
  if (source.isPackage !== true) await recordSum(plan, location);
  const finding: Finding = { kind: "satisfied", requirement, location };
  options.line(findingLine(finding));
  return finding;
}

function findingLine(finding: Finding): string {
  const { description } = finding.requirement;
  switch (finding.kind) {
    case "satisfied":
      return `✅ Dependency Satisfied - ${finding.location} [${description}]`;
    case "missing":
      return `⛔ Dependency Missing - ${description}`;
    case "changed":
      return `⛔ Dependency Changed - ${finding.location} [${description}]: sha256 mismatch`;
  }
}
