import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";

/** The program of the small agent that sandbox tests run; commands are listed in it. */
export const FIXTURE_AGENT = fileURLToPath(
  new URL("../integration/fixtures/sandbox-agent.ts", import.meta.url),
);

/** Sends a command to the small agent of a sandbox with a channel and resolves with its answer. */
export async function tellAgent(sandbox: Sandbox, command: string): Promise<unknown> {
  const answers = agentLines(sandbox);
  const answer = once(answers, "line");
  sendToAgent(sandbox, command);
  const [line] = (await answer) as [string];
  answers.close();
  return JSON.parse(line) as unknown;
}

/** Sends a command that has no answer. */
export function sendToAgent(sandbox: Sandbox, command: string): void {
  if (sandbox.transport.kind !== "channel") throw new Error("the sandbox has no channel");
  sandbox.transport.channel.write(`${command}\n`);
}

function agentLines(sandbox: Sandbox): ReturnType<typeof createInterface> {
  if (sandbox.transport.kind !== "channel") throw new Error("the sandbox has no channel");
  return createInterface({ input: sandbox.transport.channel });
}
