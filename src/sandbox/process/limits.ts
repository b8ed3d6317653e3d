/** What one sandbox may take at most; undefined is no limit. */
export interface ProcessLimits {
  /** Of the agent and all it starts, page cache included. Needs a control group. */
  readonly memoryMiB?: number | undefined;
  /** Processes and threads. */
  readonly processes?: number | undefined;
}
