import { executionProblem, sandboxProblem } from "./executable-format.ts";

/**
 * Why an agent does not start a native artifact, in the words of protocol.md 5.4; undefined when it tries. The node asks
 * before it gives the artifact to an agent, and the agent asks again.
 */
export function nativeArtifactRefusal(
  artifact: Uint8Array,
  { sandboxed }: { readonly sandboxed: boolean },
): string | undefined {
  const invalid = sandboxed ? sandboxProblem(artifact) : undefined;
  if (invalid !== undefined) return `Failed to validate workload: ${invalid}`;
  const problem = executionProblem(artifact);
  return problem === undefined ? undefined : `Failed to start workload: ${problem}`;
}
