import { tellTypes, tellWarnings } from "../build/build-text.ts";
import type { CommandContext } from "../command.ts";
import { startProgressLine } from "../output/progress-line.ts";
import type { DeployStep } from "./deploy-file.ts";
import { stepLines } from "./step-text.ts";

/** Tells the steps of one deploy, and shows the progress of its upload on a terminal. */
export interface StepTeller extends Disposable {
  readonly onStep: (step: DeployStep) => void;
}

/** Starts telling; with `--json` beside the result, on stderr. `quiet` leaves the keys out, which were told before. */
export function startStepTeller(
  { flags, output, logger }: Pick<CommandContext, "output" | "logger"> & { readonly flags: object },
  path: string,
  { quiet = false }: { readonly quiet?: boolean } = {},
): StepTeller {
  const say = "json" in flags && flags.json === true ? output.note : output.line;
  const progress = startProgressLine(output.stderr, `Uploading ${path}`);
  return {
    onStep: (step) => {
      if (step.kind === "uploading") progress.show(step.sentBytes, step.totalBytes);
      else if (step.kind === "uploaded") progress[Symbol.dispose]();
      if (quiet && (step.kind === "keys" || step.kind === "inspected")) return;
      if (step.kind === "inspected" && step.file.platformUnknown !== undefined) {
        logger.warn("Deploying an executable of unknown platform", { reason: step.file.platformUnknown });
      }
      if (step.kind === "built") tellWarnings(output, step.built.warnings);
      if (step.kind === "types-checked") tellTypes(output, logger, step.check);
      stepLines(step).forEach(say);
    },
    [Symbol.dispose]: () => progress[Symbol.dispose](),
  };
}
