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

/** How often a function gets the chance to be ended within the grace; on a busy machine the engine may be kept from it. */
const CHANCES = 3;

/** Runs a function in a process of its own, on the subjects `harm`, `fine`, `harm`, `fine`. */
export async function runFunctionProcess(job: ProcessJob): Promise<Ended> {
  for (let chance = 1; ; chance++) {
    const ended = await runOnce(job);
    const reasons = ended.said + JSON.stringify(ended.events);
    const late = ended.killed && reasons.includes("does not stop after its time limit");
    if (!late || chance === CHANCES) return ended;
  }
}

type ProcessJob = Omit<FunctionJob, "source" | "subjects"> & { readonly source: Uint8Array };

async function runOnce(job: ProcessJob): Promise<Ended> {
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
