import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { NexError, errorText } from "../lib/errors.ts";
import { examine } from "./examine.ts";
import type { InstallContext, Requirement, Source } from "./requirement.ts";

/** What was installed, and where it came from. */
export interface Installed {
  readonly location: string;
  readonly source: Source;
}

/**
 * Gets what is missing from the first source that has it.
 *
 * @throws {NexError} `PREFLIGHT_FAILED` that names every source with its reason and what to do by hand, `ABORTED`
 */
export async function install(
  requirement: Requirement,
  context: Omit<InstallContext, "target">,
): Promise<Installed> {
  const [directory = "."] = requirement.directories;
  const [fileName = requirement.name] = requirement.fileNames;
  const reasons: string[] = [];
  for (const source of requirement.sources) {
    try {
      await source.install({ ...context, target: join(directory, fileName) });
      const finding = await examine(requirement);
      if (finding.kind === "satisfied") return { location: finding.location, source };
      reasons.push(`${source.title}: it did not bring ${fileName}`);
    } catch (error) {
      if (context.signal?.aborted === true) {
        throw new NexError({ code: "ABORTED", message: "Preflight interrupted", cause: error });
      }
      reasons.push(`${source.title}: ${errorText(error)}`);
    }
  }
  const list = reasons.map((reason) => `\n  ${reason}`).join("");
  throw new NexError({
    code: "PREFLIGHT_FAILED",
    message: `Cannot install ${requirement.description}${list}`,
    hint: requirement.instruction,
  });
}

/** Hex SHA-256 of a file. */
export async function fileSum(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
