import { randomBytes } from "node:crypto";
import { startProcess } from "../../lib/managed-process.ts";
import type { ConfinementTools } from "./command-line.ts";
import type { Confinement } from "./confinement.ts";
import type { FileViewOptions } from "./file-view.ts";
import type { Premises, PremisesOptions } from "./premises.ts";

const TRIAL_MS = 5000;

/** Finds its files readable and its temporary directory writable, or says 1. */
const SCRIPT = `for file; do [ -r "$file" ] || exit 1; done
: >"$TMPDIR/trial" || exit 1
exit 7`;

/** Whether a confined command runs, can work, and its exit code comes through. */
export async function tryConfinement(
  candidate: Confinement,
  parts: {
    readonly tools: ConfinementTools;
    readonly view: FileViewOptions;
    readonly makePremises: (options: PremisesOptions) => Promise<Premises>;
  },
): Promise<boolean> {
  try {
    await using premises = await parts.makePremises({
      id: `trial${randomBytes(4).toString("hex")}`,
      user: candidate.users?.first,
    });
    const command = [parts.tools.sh, "-c", SCRIPT, "trial", ...parts.view.needed];
    const [program = "", ...argv] = candidate.wrap(command, premises);
    await using trial = await startProcess({
      program,
      argv,
      environment: { TMPDIR: candidate.temporaryDirectory(premises) },
      workingDirectory: "/",
      stdio: ["ignore", "ignore", "ignore", "ignore", "pipe"],
    });
    const timer = setTimeout(() => trial.signal("SIGKILL"), TRIAL_MS);
    const exit = await trial.exit;
    clearTimeout(timer);
    return exit.kind === "exited" && exit.code === 7;
  } catch {
    return false;
  }
}
