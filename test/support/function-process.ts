import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { FunctionEvent, FunctionJob } from "../integration/fixtures/function-process.ts";

const PROGRAM = fileURLToPath(new URL("../integration/fixtures/function-process.ts", import.meta.url));

/** What became of the process of a function. */
export interface Ended {
  readonly events: readonly FunctionEvent[];
  readonly killed: boolean;
  /** What the process said on stderr, such as why it ended itself. */
  readonly said: string;
}

/** Runs a function in a process of its own, on the subjects `harm`, `fine`, `harm`, `fine`. */
export async function runFunctionProcess(
  job: Omit<FunctionJob, "source" | "subjects"> & { readonly source: Uint8Array },
): Promise<Ended> {
  const whole: FunctionJob = {
    ...job,
    source: Buffer.from(job.source).toString("base64"),
    subjects: ["harm", "fine", "harm", "fine"],
  };
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(whole)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once("close", (_code, signal) => resolve(signal)),
  );
  const [output, said] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const lines = output.split("\n").filter((line) => line !== "");
  return {
    events: lines.map((line) => JSON.parse(line) as FunctionEvent),
    killed: (await closed) === "SIGKILL",
    said,
  };
}
