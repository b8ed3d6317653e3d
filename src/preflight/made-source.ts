import { rename, writeFile } from "node:fs/promises";
import type { Source } from "./requirement.ts";

/** A file whose JSON we know. */
export function jsonSource(title: string, content: unknown): Source {
  return {
    title,
    install: async ({ target, report }) => {
      report(`Writing ${target}`);
      const made = `${target}.${process.pid}.new`;
      await writeFile(made, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o644 });
      await rename(made, target);
    },
  };
}
