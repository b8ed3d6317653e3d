import { versionText } from "../build-information.ts";
import { defineCommand, jsonFlag } from "../command.ts";

/** `nex version`: the same as `nex --version`. */
export const version = defineCommand({
  description: "Prints the version of Nex, the commit it was built from and when.",
  flags: { json: jsonFlag },
  examples: ["version"],
  json: '{"version": "0.2.7", "commit": "…", "date": "…"}',
  run: async ({ flags, output, build }) => {
    if (flags.json) output.json(build);
    else output.line(versionText(build));
  },
});
