import type { Finding } from "./check.ts";

/** The release line that Nex is built for and tested with. */
const MAJOR = 24;

/** Which Node.js runs the command line, and with it the agents of nodes started here. */
export async function checkNodeJs(): Promise<Finding> {
  const { node } = process.versions;
  const details = { version: node, path: process.execPath, platform: process.platform, arch: process.arch };
  const major = Number(node.split(".")[0]);
  if (major === MAJOR) return { status: "ok", summary: `${node} (${process.execPath})`, details };
  return {
    status: "warning",
    summary: `${node} is not the release line that Nex is made for (${MAJOR})`,
    fix: `Reinstall nex with its optional dependencies, which bring Node.js ${MAJOR}, or install Node.js ${MAJOR}`,
    details,
  };
}
