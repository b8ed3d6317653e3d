import { z } from "zod";

/**
 * What the official tools demand of service discovery, strictly: the JSON schemas `io.nats.micro.v1.*_response`, with
 * the endpoints of ADR-32.
 */
const name = z.string().regex(/^[a-zA-Z0-9_-]+$/);
const identity = {
  name,
  id: z.string().min(1),
  version: z.string().regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/),
  metadata: z.record(z.string(), z.string()),
};
const endpoint = { name, subject: z.string().min(1), queue_group: z.string() };

export const PingResponse = z.strictObject({
  type: z.literal("io.nats.micro.v1.ping_response"),
  ...identity,
});
export const InfoResponse = z.strictObject({
  type: z.literal("io.nats.micro.v1.info_response"),
  ...identity,
  description: z.string(),
  subjects: z.array(z.string().min(1)),
  endpoints: z.array(z.strictObject({ ...endpoint, metadata: z.record(z.string(), z.string()) })),
});
export const StatsResponse = z.strictObject({
  type: z.literal("io.nats.micro.v1.stats_response"),
  ...identity,
  started: z.iso.datetime(),
  endpoints: z.array(
    z.strictObject({
      ...endpoint,
      num_requests: z.int().nonnegative(),
      num_errors: z.int().nonnegative(),
      last_error: z.string(),
      processing_time: z.int().nonnegative(),
      average_processing_time: z.int().nonnegative(),
    }),
  ),
});
