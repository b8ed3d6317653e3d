import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { versionText } from "../build-information.ts";
import { defineCommand, jsonFlag } from "../command.ts";

/** How this Nex came to be here. */
type Installation = "clone" | "package";

/** Command lines that bring a newer version, in order. */
const STEPS: Readonly<Record<Installation, readonly string[]>> = {
  clone: ["git pull", "npm ci", "npm run build"],
  package: ["npm install --global PACKAGE"],
};

/** `nex upgrade`: says how to get a newer version; changes nothing and asks nobody. */
export const upgrade = defineCommand({
  description:
    "Prints how to upgrade this installation. It does not look for newer versions, and never replaces itself.",
  flags: { json: jsonFlag },
  examples: ["upgrade"],
  json: '{"version": "0.2.7", "installation": "clone" or "package", "commands": ["…", …]}',
  run: async ({ flags, output, build }) => {
    const root = fileURLToPath(new URL("../../../", import.meta.url));
    const installation = installationOf(import.meta.url, root);
    const commands = STEPS[installation];
    if (flags.json) {
      output.json({ version: build.version, installation, commands });
      return;
    }
    output.line(`This is nex ${versionText(build)}`);
    output.line(
      installation === "clone"
        ? `It runs from a clone. To upgrade, in ${root}:`
        : "It was installed as a package. To upgrade, with PACKAGE what it was installed from (a file or a repository):",
    );
    output.line(["", ...commands.map((command) => `  ${command}`), ""].join("\n"));
    output.line("Nodes keep their version until they are restarted; CHANGELOG.md says what is new.");
  },
});

function installationOf(moduleUrl: string, root: string): Installation {
  return moduleUrl.endsWith(".ts") && existsSync(`${root}package-lock.json`) ? "clone" : "package";
}
