import { relative } from "node:path";
import { defineCommand, jsonFlag } from "../command.ts";
import { writeStarter } from "../starter/write-starter.ts";

/** `nex init`: files to begin with. */
export const init = defineCommand({
  description:
    "Writes a starter into a folder: a node configuration (config.json), a JavaScript function (hello.js), a service (greeter.sh) and a README that explains them. Refuses to overwrite files unless told so.",
  arguments: {
    dir: {
      help: "Folder, made when it is missing; by default this one",
      required: false,
      completes: "directory",
    },
  },
  flags: {
    force: { kind: "boolean", help: "Overwrite files of these names" },
    json: jsonFlag,
  },
  examples: ["init", "init my-project", "init my-project --force"],
  json: '{"directory": "my-project", "files": ["my-project/config.json", …]}',
  run: async ({ arguments: { dir = "." }, flags, output }) => {
    const files = await writeStarter(dir, { force: flags.force });
    if (flags.json) {
      output.json({ directory: dir, files });
      return;
    }
    for (const file of files) output.line(`Wrote ${file}`);
    const enter = relative(".", dir) === "" ? "" : `  cd ${dir}\n`;
    output.line(`
Next, in this terminal, a node with its own NATS server:
${enter}  nex node up --embedded-nats

and in a second one:
${enter}  nex devrun hello.js --trigger_subject=hello
  nex req hello world
  nex devrun greeter.sh NATS_URL=nats://127.0.0.1:4222
  nex req greet you

README.md explains the rest; "nex doctor" helps when something does not work.`);
  },
});
