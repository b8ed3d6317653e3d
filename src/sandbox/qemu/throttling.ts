import type { RateLimiters, TokenBucket } from "../rate-limiters.ts";

/**
 * Rate limiters as properties of a QEMU drive. QEMU has a leaky bucket with an average and a burst, both per second. The
 * average is what the token bucket gets in a second, the burst its size where that is larger; a one-time burst has
 * no counterpart and is left out.
 */
export function driveThrottling({ bandwidth, iops }: RateLimiters): readonly string[] {
  return [...bucketProperties("bps-total", bandwidth), ...bucketProperties("iops-total", iops)];
}

function bucketProperties(name: string, bucket: TokenBucket | undefined): readonly string[] {
  if (bucket === undefined || bucket.size === 0 || bucket.refillTimeMs === 0) return [];
  const average = Math.min(MAX_VALUE, Math.max(1, Math.floor((bucket.size * 1000) / bucket.refillTimeMs)));
  const burst = Math.min(MAX_VALUE, bucket.size);
  const properties = [`throttling.${name}=${average}`];
  return burst > average ? [...properties, `throttling.${name}-max=${burst}`] : properties;
}

/** QEMU's THROTTLE_VALUE_MAX. */
const MAX_VALUE = 1e15;
