import { contextDirectory } from "../../nats/context.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { listContexts } from "../contexts/nats-contexts.ts";
import { renderTable } from "../output/table.ts";

/** `nex context ls`: the NATS contexts of this account. */
export const contextLs = defineCommand({
  description:
    "Lists the NATS contexts of this account, as the nats command keeps them. A * marks the one that --context or NATS_CONTEXT selects. Secrets are never shown.",
  flags: { json: jsonFlag },
  examples: ["context ls"],
  json: `[{"name": "production", "description": "…", "url": "nats://…", "selected": true,
  "problem": "the file is not JSON" (only when it cannot be used)}, …]`,
  run: async ({ flags, global, environment, output }) => {
    const contexts = (await listContexts(environment)).map(({ name, description, url, problem }) => ({
      name,
      description,
      url,
      selected: name === global.context,
      ...(problem === undefined ? {} : { problem }),
    }));
    if (global.context !== undefined && !contexts.some(({ selected }) => selected)) {
      output.note(`There is no NATS context "${global.context}", which --context or NATS_CONTEXT selects`);
    }
    if (flags.json) output.json(contexts);
    else if (contexts.length === 0) {
      output.line(`No NATS contexts in ${contextDirectory(environment) ?? "this account (HOME is not set)"}`);
    } else {
      const rows = contexts.map(({ name, description, url, selected, problem }) => [
        selected ? `${name}*` : name,
        problem === undefined ? description : `unusable: ${problem}`,
        url,
      ]);
      output.line(
        `${renderTable({ title: "NATS Contexts", headers: ["Name (* = selected)", "Description", "URL"], rows })}\n`,
      );
    }
  },
});
