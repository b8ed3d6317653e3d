import { NexError } from "../../lib/errors.ts";
import { examine } from "../../preflight/examine.ts";
import type { HostPlan } from "../../preflight/host-plan.ts";
import { install } from "../../preflight/install.ts";
import { recordSum, verify } from "../../preflight/installed-sums.ts";
import type { Finding, InstallContext, Requirement } from "../../preflight/requirement.ts";
import type { Output } from "../output/output.ts";

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
  /** Whether to install something; not asked with `force`. */
  readonly agree: (requirement: Requirement) => Promise<boolean>;
  readonly install: Omit<InstallContext, "target" | "force">;
  /** Where the list goes; undefined with `--json`. */
  readonly output: Pick<Output, "line"> | undefined;
}

/**
 * Lists what is there and what is not, and installs what is missing.
 *
 * @throws {NexError} `PREFLIGHT_FAILED`, `ABORTED`
 */
export async function prepareHost(options: PreparationOptions): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const requirement of options.requirements) {
    options.install.signal?.throwIfAborted();
    const found = await look(requirement, options);
    const isWanted = found.kind !== "satisfied" || (options.force && requirement.sources.length > 0);
    findings.push(isWanted && !options.check ? await getIt(requirement, options) : found);
  }
  return findings;
}

async function look(requirement: Requirement, options: PreparationOptions): Promise<Finding> {
  const { output, plan } = options;
  if (options.verbose) output?.line(`Validating - ${requirement.description}`);
  const found = await examine(requirement, (directory) => {
    if (options.verbose) output?.line(`\t  🔎 Searching - ${directory}`);
  });
  const finding = options.verify ? await verify(plan, found) : found;
  output?.line(findingLine(finding));
  return finding;
}

async function getIt(requirement: Requirement, options: PreparationOptions): Promise<Finding> {
  const { force, plan } = options;
  if (requirement.sources.length === 0) {
    const message = `Cannot install ${requirement.description}`;
    throw new NexError({ code: "PREFLIGHT_FAILED", message, hint: requirement.instruction });
  }
  if (!force && !(await options.agree(requirement))) {
    throw new NexError({
      code: "PREFLIGHT_FAILED",
      message: "user canceled preflight",
      hint: "Answer with y, or install without questions: nex node preflight --yes",
    });
  }
  const location = await install(requirement, { ...options.install, force });
  if (location !== requirement.substitute) await recordSum(plan, location);
  const finding: Finding = { kind: "satisfied", requirement, location };
  options.output?.line(findingLine(finding));
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
