import { NexError } from "../../lib/errors.ts";
import { didYouMean } from "../arguments/did-you-mean.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { listContexts } from "../contexts/nats-contexts.ts";
import { renderColumnReport } from "../output/column-report.ts";

/** `nex context show`: what a NATS context holds, its secrets masked. */
export const contextShow = defineCommand({
  description: "Shows what a NATS context sets. Passwords, tokens and keys are masked.",
  arguments: {
    name: {
      help: "Name of the context; by default the selected one",
      required: false,
      completes: "context",
    },
  },
  flags: { json: jsonFlag },
  examples: ["context show production"],
  json: `{"name": "production", "path": "/home/…/production.json", "selected": true,
  "settings": {"url": "nats://…", "user": "joe", "password": "********", …}}`,
  run: async ({ flags, global, environment, output, arguments: { name: given } }) => {
    const name = given ?? global.context;
    if (name === undefined) {
      throw new NexError({
        code: "NATS_CONTEXT_UNKNOWN",
        message: "No NATS context is selected",
        hint: 'Name one ("nex context show NAME"), or select it with --context or NATS_CONTEXT',
      });
    }
    const contexts = await listContexts(environment);
    const found = contexts.find((context) => context.name === name);
    if (found === undefined) {
      const names = contexts.map((context) => context.name);
      throw new NexError({
        code: "NATS_CONTEXT_UNKNOWN",
        message: `There is no NATS context "${name}"${didYouMean(name, names)}`,
        hint: 'List them with "nex context ls"',
      });
    }
    const { path, settings, problem } = found;
    if (problem !== undefined) {
      throw new NexError({
        code: "NATS_CONTEXT_INVALID",
        message: `Cannot show NATS context "${name}": "${path}": ${problem}`,
      });
    }
    const selected = name === global.context;
    if (flags.json) output.json({ name, path, selected, settings });
    else {
      const lines = Object.entries(settings).map(([key, value]) => [key, String(value)] as const);
      output.line(
        renderColumnReport(`NATS context ${name}${selected ? " (selected)" : ""}`, [
          { blocks: [[["file", path], ...lines]] },
        ]),
      );
    }
  },
});
