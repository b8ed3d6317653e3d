import { writeFile } from "node:fs/promises";
import type { Source } from "./requirement.ts";
import { putWhole } from "./whole-file.ts";

/** A file whose JSON we know. */
export function jsonSource(title: string, content: unknown): Source {
  return {
    title,
    install: async ({ target, report, force }) => {
      report(`Writing ${target}`);
      await putWhole(target, {
        replace: force,
        make: (path) => writeFile(path, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o644 }),
      });
    },
  };
}
