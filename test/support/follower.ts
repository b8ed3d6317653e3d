import type { RunNexOptions, RunningNex } from "./run-nex.ts";

/** A line of `nex events --json`. */
export interface WatchedEvent {
  readonly type: string;
  readonly source: string;
  readonly data: { readonly code?: number; readonly reason?: string; readonly workload_name?: string };
}

/** A line of `nex logs --json`. */
export interface WatchedLog {
  readonly workload_name: string;
  readonly text: string;
}

/** Whether an event is the end of the workload `id`. */
export function isEndOf(id: string): (event: WatchedEvent) => boolean {
  return ({ type, source }) => type === "workload_undeployed" && source.endsWith(id);
}

/** Starts a `nex` that follows something with `--json`; resolves once it listens. */
export async function startFollower(
  bench: { startNex(args: readonly string[], options?: RunNexOptions): Promise<RunningNex> },
  args: readonly string[],
): Promise<RunningNex> {
  const follower = await bench.startNex([...args, "--json"]);
  await follower.waitForLine(/Ctrl-C ends/);
  return follower;
}

/** What `nex events --json` has printed so far. */
export function watchedEvents(follower: RunningNex): readonly WatchedEvent[] {
  return completeLines(follower).map((line) => JSON.parse(line) as WatchedEvent);
}

/** What `nex logs --json` has printed so far. */
export function watchedLogs(follower: RunningNex): readonly WatchedLog[] {
  return completeLines(follower).map((line) => JSON.parse(line) as WatchedLog);
}

function completeLines(follower: RunningNex): string[] {
  return follower
    .stdout()
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.startsWith("{"));
}
