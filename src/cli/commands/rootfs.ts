import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rootfsFailed } from "../../rootfs/failed.ts";
import { buildRootfs } from "../../rootfs/build-rootfs.ts";
import { defineCommand, jsonFlag } from "../command.ts";

/** The bundled agent, built by `npm run build`; the same path from `src/cli/commands` and from `dist/cli/commands`. */
const AGENT = fileURLToPath(new URL("../../../dist/agent.js", import.meta.url));

/** `nex rootfs`: the disk that virtual machines start from. */
export const rootfs = defineCommand({
  description:
    "Builds the root file system of virtual machines, an ext4 image with Node.js, the agent and a small init, without root, mounts or containers. The same inputs give the same bytes. Needs busybox-static and e2fsprogs. docs/rootfs.md tells more.",
  flags: {
    output: {
      kind: "string",
      short: "o",
      default: "rootfs.ext4",
      placeholder: "FILE",
      completes: "file",
      help: "Where to write the image; a name that ends in .gz makes it compressed (nodes need it unpacked)",
    },
    size: {
      kind: "integer",
      min: 1,
      placeholder: "BYTES",
      help: "Size of the file system; by default what its files need and 32 MiB",
    },
    image: {
      kind: "string",
      placeholder: "PATH",
      completes: "file",
      help: "A directory or tar archive with a Linux system to build on; by default busybox and nothing else",
    },
    script: { kind: "file", help: "A program to run inside the tree before it is written; needs root" },
    agent: { kind: "file", help: "Another agent: a bundle for Node.js, or an executable" },
    json: jsonFlag,
  },
  examples: [
    "rootfs",
    "rootfs -o images/rootfs.ext4 --size 268435456",
    "rootfs --image alpine-minirootfs.tar.gz --script add-tools.sh",
  ],
  json: '{"path": "/…/rootfs.ext4", "sizeBytes": 173015040, "fileBytes": 173015040, "sha256": "SHA-256 in hex"}',
  run: async ({ flags, output, environment, signal }) => {
    if (flags.agent === undefined && !existsSync(AGENT)) {
      throw rootfsFailed(`the agent "${AGENT}" does not exist`, { hint: "Build it with `npm run build`" });
    }
    const built = await buildRootfs({
      output: flags.output,
      agent: flags.agent ?? AGENT,
      base: flags.image,
      script: flags.script,
      sizeBytes: flags.size,
      path: environment["PATH"],
      onStep: output.note,
      signal,
    });
    if (flags.json) {
      output.json(built);
      return;
    }
    output.line(`Wrote ${flags.output}`);
    output.line(`Size: ${built.fileBytes} bytes`);
    output.line(`SHA-256: ${built.sha256}`);
  },
});
