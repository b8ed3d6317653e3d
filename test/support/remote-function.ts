import type { TestDeploy } from "./deployer.ts";
import type { TestNode } from "./start-test-node.ts";

/** Calls host services from inside of a deployed JavaScript function. */
export interface RemoteFunction {
  readonly id: string;
  /**
   * Calls one method within one invocation; bytes come back as a Buffer.
   *
   * @throws {Error} with the text of what the function caught
   */
  call(service: string, method: string, ...values: readonly (string | Uint8Array)[]): Promise<unknown>;
}

const SOURCE = `(subject, payload) => {
  const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const fromHex = (hex) =>
    Uint8Array.from({ length: hex.length / 2 }, (_, index) => parseInt(hex.slice(2 * index, 2 * index + 2), 16));
  let text = "";
  for (let start = 0; start < payload.length; start += 4096)
    text += String.fromCharCode.apply(null, payload.subarray(start, start + 4096));
  const [service, method, values] = JSON.parse(text);
  try {
    const result = hostServices[service][method](
      ...values.map((value) => (typeof value === "string" ? value : fromHex(value.hex))),
    );
    const shown = (value) => (value instanceof Uint8Array ? { hex: toHex(value) } : value);
    return { result: Array.isArray(result) ? result.map(shown) : shown(result) };
  } catch (error) {
    return { failure: error.message };
  }
}`;

/** Deploys such a function. */
export async function deployRemoteFunction(
  node: TestNode,
  order: Omit<TestDeploy, "artifact" | "workloadType" | "triggerSubjects">,
): Promise<RemoteFunction> {
  const subject = `remote.${order.name}`;
  const { id } = await node.deploy({
    ...order,
    artifact: SOURCE,
    workloadType: "v8",
    triggerSubjects: [subject],
  });
  return {
    id,
    call: async (service, method, ...values) => {
      const request = JSON.stringify([
        service,
        method,
        values.map((value) =>
          typeof value === "string" ? value : { hex: Buffer.from(value).toString("hex") },
        ),
      ]).replaceAll(/[\u0080-\uffff]/g, escaped);
      const reply = await node.connection.request(subject, request, { timeout: 10_000 });
      const failed = reply.headers?.get("Nats-Service-Error") ?? "";
      if (failed !== "") throw new Error(failed);
      const answer = reply.json<{ readonly result?: unknown; readonly failure?: string }>();
      if (answer.failure !== undefined) throw new Error(answer.failure);
      return withBytes(answer.result);
    },
  };
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function withBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBytes);
  if (typeof value !== "object" || value === null || !("hex" in value)) return value;
  return Buffer.from(String(value.hex), "hex");
}
