import { createControlClient } from "../../control-api/index.ts";
import { errorText, NexError } from "../../lib/errors.ts";
import { jetStreamDomain, openConnection, timeoutMs } from "../connection.ts";
import type { ConnectionContext } from "../connection.ts";
import type { Finding, Patient } from "./check.ts";
import { checks } from "./checks.ts";
import { connectionFailure } from "./connection-check.ts";

/** A finding with the name of its check. */
export interface NamedFinding extends Finding {
  readonly name: string;
}

/**
 * Runs every check, one after the other, and tells each finding at once. Without a connection the checks that need one are
 * skipped.
 *
 * @throws {NexError} only when interrupted
 */
export async function examine(
  context: ConnectionContext,
  onFinding: (finding: NamedFinding) => void,
): Promise<readonly NamedFinding[]> {
  await using stack = new AsyncDisposableStack();
  const findings: NamedFinding[] = [];
  const local = { context, timeoutMs: timeoutMs(context.global) };
  let patient: Patient | undefined;
  let failure: Finding | undefined;
  for (const check of checks) {
    context.signal.throwIfAborted();
    if (check.needsConnection && patient === undefined && failure === undefined) {
      try {
        patient = await connectedPatient(local.context, stack);
      } catch (error) {
        context.signal.throwIfAborted();
        failure = connectionFailure(error, context.global.server);
        findings.push({ name: "connection", ...failure });
        onFinding({ name: "connection", ...failure });
        continue;
      }
    }
    const finding = !check.needsConnection
      ? await guarded(async () => check.run(local))
      : patient === undefined
        ? ({ status: "skipped", summary: "needs a connection" } as const)
        : await guarded(async () => check.run(patient as Patient));
    context.signal.throwIfAborted();
    findings.push({ name: check.name, ...finding });
    onFinding({ name: check.name, ...finding });
  }
  return findings;
}

async function connectedPatient(context: ConnectionContext, stack: AsyncDisposableStack): Promise<Patient> {
  const domain = await jetStreamDomain(context);
  const { connection } = stack.use(await openConnection(context));
  const { namespace } = context.global;
  const limitMs = timeoutMs(context.global);
  const client = createControlClient({ connection, namespace, timeoutMs: limitMs });
  let nodes: ReturnType<Patient["nodes"]> | undefined;
  return {
    context,
    connection,
    client,
    nodes: async () => (nodes ??= client.listNodes()),
    namespace,
    jetStreamDomain: domain,
    timeoutMs: limitMs,
  };
}

/** A check that cannot be made is a finding, too. */
async function guarded(run: () => Promise<Finding>): Promise<Finding> {
  try {
    return await run();
  } catch (error) {
    const hint = error instanceof NexError ? error.hint : undefined;
    return {
      status: "failed",
      summary: errorText(error),
      fix: hint ?? "Correct what is wrong above, then run the doctor again",
    };
  }
}
