import { fileURLToPath } from "node:url";

/** The agent as nodes start it: one file, made by the build. */
export const AGENT_PROGRAM = fileURLToPath(new URL("../../dist/agent.js", import.meta.url));
