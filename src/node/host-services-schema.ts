import { z } from "zod";
import { isAllowEntry } from "../host-services/host/http/address-guard.ts";

const count = z.int().nonnegative();
const text = z.string();
const KIB = 1024;
const MIB = 1024 * KIB;
/** An agent waits 5 seconds for an answer (protocol.md 6.1): a call must end, and say why, before that. */
const MAX_TIMEOUT_MS = 4900;

const milliseconds = (fallback: number) => z.int().min(1).max(MAX_TIMEOUT_MS).default(fallback);

/** Limits that every service has, per workload. */
const limits = (maxBodyBytes: number) => ({
  /** Largest body of a call or an answer. */
  max_body_bytes: z
    .int()
    .min(1)
    .max(32 * MIB)
    .default(maxBodyBytes),
  /** Calls that are done at the same time; more of them wait. */
  max_concurrent_calls: z.int().min(1).default(32),
  /** 0 for none. */
  max_calls_per_invocation: count.default(1000),
});

const bucket = (suffix: string, maxBodyBytes: number, timeoutMs: number) =>
  z.strictObject({
    bucket_name: text.min(1).default(`hs_\${namespace}_\${workload_name}_${suffix}`),
    /** Size of a bucket that is created; 0 for no limit. */
    max_bytes: count.default(512 * KIB),
    jit_provision: z.boolean().default(true),
    timeout_ms: milliseconds(timeoutMs),
    ...limits(maxBodyBytes),
  });

const allowEntry = text.refine(isAllowEntry, "expected an address, a CIDR range, a host name or *.domain");

const HttpConfig = z.strictObject({
  /** What functions may reach besides the public internet. */
  allow: z.array(allowEntry).default([]),
  timeout_ms: milliseconds(2500),
  /** Whether certificates of https servers are checked. */
  verify_tls: z.boolean().default(true),
  ...limits(4 * MIB),
});

const MessagingConfig = z.strictObject({
  request_timeout_ms: milliseconds(750),
  request_many_timeout_ms: z.int().min(1).max(4400).default(3000),
  ...limits(MIB),
});

/** An entry of `services`: left out it is on, named it is off unless it says so. */
function service<Config extends z.ZodObject>(config: Config) {
  const defaults = (): z.output<Config> => config.parse({});
  return z
    .strictObject({
      enabled: z.boolean().default(false),
      config: config.nullish().transform((given) => given ?? defaults()),
    })
    .optional()
    .transform((given) => given ?? { enabled: true, config: defaults() });
}

const subjects = z.array(text.min(1)).optional();

/** `host_services` of the node configuration (protocol.md 6, 9.3). */
export const HostServicesSettings = z.strictObject({
  nats_url: text.default(""),
  nats_user_jwt: text.default(""),
  nats_user_seed: text.default(""),
  /** What workloads of a namespace may publish and request; `*` stands for namespaces that are not listed. */
  namespaces: z.record(text, z.strictObject({ publish: subjects, request: subjects })).default({}),
  services: z
    .strictObject({
      http: service(HttpConfig),
      kv: service(bucket("kv", MIB, 2000)),
      messaging: service(MessagingConfig),
      objectstore: service(bucket("obj", 16 * MIB, 4000)),
    })
    .prefault({}),
});
export type HostServicesSettings = z.output<typeof HostServicesSettings>;
