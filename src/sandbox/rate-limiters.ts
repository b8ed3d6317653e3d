/** Limits of what a virtual machine may move, with the meaning of Firecracker's token buckets (protocol.md 9.5). */
export interface RateLimiters {
  /** Bytes: of the drive, and of each direction of the network interface. */
  readonly bandwidth?: TokenBucket;
  /** Operations of the drive. */
  readonly iops?: TokenBucket;
}

/** A bucket of tokens that fills steadily: `size` of them in `refillTimeMs`. Without a limit when either is 0. */
export interface TokenBucket {
  readonly size: number;
  readonly refillTimeMs: number;
  /** Tokens that are there once at the start, beside `size`. Default 0. */
  readonly oneTimeBurst?: number;
}
