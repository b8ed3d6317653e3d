/** Subjects no workload may be triggered on, whatever the node's configuration says. */
export const ALWAYS_DENIED: readonly string[] = ["$SYS.>", "$JS.>", "$NEX.>"];

/** The first trigger subject that overlaps a denied one; ALWAYS_DENIED is part of the list. */
export function findDeniedTrigger(
  triggerSubjects: readonly string[],
  denyList: readonly string[] = [],
): string | undefined {
  const denied = [...ALWAYS_DENIED, ...denyList];
  return triggerSubjects.find((subject) => denied.some((pattern) => subjectsOverlap(subject, pattern)));
}

/**
 * Whether some subject matches both patterns; wildcards count on either side. A `>` before the end, which no server
 * accepts, counts as if it were the end.
 */
export function subjectsOverlap(left: string, right: string): boolean {
  const a = left.split(".");
  const b = right.split(".");
  for (let index = 0; ; index++) {
    const tokenA = a[index];
    const tokenB = b[index];
    if (tokenA === undefined || tokenB === undefined) return tokenA === tokenB;
    // ">" stands for one token or more, and both patterns have one here.
    if (tokenA === ">" || tokenB === ">") return true;
    if (tokenA !== tokenB && tokenA !== "*" && tokenB !== "*") return false;
  }
}
