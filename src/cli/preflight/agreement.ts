import { NexError } from "../../lib/errors.ts";
import type { Finding } from "../../preflight/requirement.ts";
import type { Questions } from "../output/ask.ts";

const UNATTENDED = "install without questions: nex node preflight --yes";

/**
 * Asks whether something may be installed.
 *
 * @throws {NexError} `PREFLIGHT_FAILED` unless the answer is y
 */
export async function askToInstall(questions: Questions, finding: Finding): Promise<void> {
  const answer = await questions.ask(`⛔ ${questionAbout(finding)} [y/N] `);
  if (/^y$/i.test(answer?.trim() ?? "")) return;
  throw new NexError({
    code: "PREFLIGHT_FAILED",
    message: "user canceled preflight",
    hint:
      answer === undefined
        ? `Nobody answers on standard input; ${UNATTENDED}`
        : `Answer with y, or ${UNATTENDED}`,
  });
}

function questionAbout(finding: Finding): string {
  const { description } = finding.requirement;
  return finding.kind === "changed"
    ? `${finding.location} [${description}] is not what was installed, do you want to install it again?`
    : `You are missing required dependencies for [${description}], do you want to install?`;
}
