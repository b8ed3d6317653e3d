/** Variables that the workload was deployed with: the global `env`, frozen. */
export type FunctionEnvironment = Readonly<Record<string, string>>;

/**
 * A function: called once for each message on one of its trigger subjects.
 *
 * `subject` is the actual subject of the message, `payload` its body. What it returns, or resolves to, is the reply:
 * bytes as they are, nothing as an empty reply, anything else as JSON. What it throws fails the invocation: the
 * caller gets the service error headers, and the workload's log the stack.
 */
export type NexFunction<Result = unknown> = (
  subject: string,
  payload: Uint8Array,
) => Result | Promise<Result>;

/**
 * Returns the function as it is, so that its parameters have types without being annotated:
 * `export default defineFunction((subject, payload) => payload);`
 */
export function defineFunction<Result>(run: NexFunction<Result>): NexFunction<Result> {
  return run;
}
