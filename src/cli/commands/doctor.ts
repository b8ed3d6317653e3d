import { NexError } from "../../lib/errors.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import type { CheckStatus } from "../doctor/check.ts";
import { examine } from "../doctor/examine.ts";
import type { NamedFinding } from "../doctor/examine.ts";
import { printable } from "../output/text-width.ts";

const SIGNS: Readonly<Record<CheckStatus, string>> = {
  ok: "✅",
  warning: "🟡",
  failed: "⛔",
  skipped: "⚪",
};

/** `nex doctor`: finds what keeps Nex from working, and says what to do about it. */
export const doctor = defineCommand({
  description:
    "Checks Node.js, a local nats-server, the keys in ~/.nex, the connection, JetStream, permissions, the upload bucket, the nodes and the clock. Each failure names its fix. Nothing is changed: what has to be tried is tried without leaving anything. Exits with 1 when a check fails.",
  flags: { json: jsonFlag },
  examples: ["doctor", "doctor --context=production"],
  json: `{"ok": true, "checks": [{"name": "connection", "status": "ok" | "warning" | "failed" | "skipped",
  "summary": "…", "fix": "…" (with failed and warning), "details": {…} (by check, may grow)}, …]}`,
  run: async (context) => {
    const { flags, output } = context;
    const findings = await examine(context, (finding) => {
      if (!flags.json) for (const line of findingLines(finding)) output.line(line);
    });
    const failed = findings.filter(({ status }) => status === "failed").map(({ name }) => name);
    if (flags.json) output.json({ ok: failed.length === 0, checks: findings });
    if (failed.length === 0) return;
    throw new NexError({
      code: "CHECKS_FAILED",
      message: `${failed.length} of ${findings.length} checks failed: ${failed.join(", ")}`,
    });
  },
});

function findingLines({ name, status, summary, fix }: NamedFinding): string[] {
  const [first = "", ...more] = summary.split("\n").map(printable);
  return [
    `${SIGNS[status]} ${name}: ${first}`,
    ...more.map((line) => `   ${line}`),
    ...(fix === undefined ? [] : [`   fix: ${printable(fix)}`]),
  ];
}
