/**
 * The node configuration file (protocol.md section 9): every key, its default and its meaning. Strict: an unknown key
 * is an error. Files are merged over these defaults key by key; an entry of `host_services.services` replaces the
 * default entry as a whole, so that it is off without `"enabled": true`.
 */
import { availableParallelism } from "node:os";
import { z } from "zod";
import { DOWNLOAD_NAMES, SANDBOX_SETTINGS } from "../preflight/host-plan.ts";
import { HostServicesSettings } from "./host-services-schema.ts";
import { WORKLOAD_TYPES } from "./workload.ts";

const count = z.int().nonnegative();
const milliseconds = z.int().positive();
const text = z.string();
const MIB = 1024 * 1024;

/** A Firecracker token bucket: bytes or operations per `refill_time` milliseconds. */
const TokenBucket = z.strictObject({
  one_time_burst: count.optional(),
  refill_time: count,
  size: count,
});

/** A file of a mirror, for `nex node preflight`. */
const Download = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  sha256: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, "64 hex digits")
    .optional(),
  member: text.optional(),
});

/** A workload that is started with the node (protocol.md 9.7). */
const AutostartWorkload = z.strictObject({
  name: text,
  namespace: text,
  type: z.enum(WORKLOAD_TYPES),
  location: text,
  description: text.default(""),
  environment: z.record(text, text).default({}),
  argv: z.array(text).default([]),
  essential: z.boolean().default(false),
  jsdomain: text.default(""),
  trigger_subjects: z.array(text).default([]),
  fresh: z.boolean().default(false),
  concurrency: z.int().min(1).optional(),
});

/** Bounds of every function (docs/functions.md). */
const Functions = z.strictObject({
  /** Size of a JavaScript source, its source map included. */
  max_source_bytes: z
    .int()
    .min(1)
    .max(64 * MIB)
    .default(5 * MIB),
  /** One invocation, host calls included. A single call of a host service has the lower limit of its own. */
  timeout_ms: z.int().min(10).max(300_000).default(5000),
  /** Heap of a JavaScript function, or linear memory of a WebAssembly module: at most what 32 bits address. */
  memory_mib: z.int().min(8).max(4096).default(128),
  /** Invocations of one function at a time: the most that a deploy may ask for, and what others get. */
  concurrency: z.int().min(1).max(1024).default(availableParallelism()),
});

/** The options of the public NATS server that are understood (protocol.md 9.8). */
const PublicNatsServer = z.strictObject({
  server_name: text.optional(),
  addr: text.optional(),
  port: z.int().min(-1).max(65535).optional(),
  jetstream: z.boolean().optional(),
  dont_listen: z.boolean().optional(),
  max_connections: count.optional(),
  max_subscriptions: count.optional(),
  ping_interval: count.optional(),
  ping_max: count.optional(),
  http_host: text.optional(),
  http_port: count.optional(),
  http_base_path: text.optional(),
  https_port: count.optional(),
  /** Of ours: where JetStream stores. Default `{tmp}/nats`, the server's own default. */
  store_dir: text.optional(),
  auth_timeout: z.number().nonnegative().optional(),
  max_control_line: count.optional(),
  max_payload: count.optional(),
  max_pending: count.optional(),
  tls_timeout: z.number().nonnegative().optional(),
  cluster: z.looseObject({}).optional(),
  gateway: z.looseObject({}).optional(),
  leaf: z.looseObject({}).optional(),
});

/** The file as it may be written. */
export const ConfigurationFile = z.strictObject({
  agent_handshake_timeout_ms: milliseconds.default(5000),
  agent_ping_timeout_ms: milliseconds.default(750),
  autostart: z.strictObject({ workloads: z.array(AutostartWorkload) }).optional(),
  bin_path: z.array(text).default([]),
  cni: z
    .strictObject({
      bin_path: z.array(text).default([]),
      /** Of ours: IPv4 networks that machines may reach although they are link-local or loopback ones. */
      allow: z.array(text).default([]),
      /** Of ours: directory of the `{network_name}.conflist`. */
      conf_path: text.default("/etc/cni/conf.d"),
      network_name: text.default("fcnet"),
      interface_name: text.default("veth0"),
      subnet: text.default("192.168.127.0/24"),
      nameservers: z.array(text).default([]),
    })
    .prefault({}),
  default_resource_dir: text.optional(),
  deny_trigger_subjects: z.array(text).default([]),
  /** Where `nex node preflight` gets files from, before everything else. */
  downloads: z.partialRecord(z.enum(DOWNLOAD_NAMES), Download).default({}),
  functions: Functions.prefault({}),
  host_services: HostServicesSettings.nullish().transform((given) => given ?? HostServicesSettings.parse({})),
  /** initrd of the kernel. Default: the file `initrd` in the directory of the kernel, if there is one. */
  initrd_filepath: text.optional(),
  internal_node_host: text.default("192.168.127.1"),
  /** 0 lets the system choose a free port. */
  internal_node_port: z.int().min(0).max(65535).default(0),
  /** Of ours: Firecracker's jailer, and whom Firecracker runs as in it. */
  jailer: z.strictObject({ path: text, uid: z.int().min(1), gid: z.int().min(1) }).optional(),
  kernel_file: text.optional(),
  kernel_filepath: text.optional(),
  machine_pool_size: z
    .int("machine pool size must be >= 1")
    .min(1, "machine pool size must be >= 1")
    .default(1),
  machine_template: z
    .strictObject({ vcpu_count: z.int().min(1).default(1), memsize_mib: z.int().min(1).default(256) })
    .prefault({}),
  /** Greatest difference in seconds between a token's `iat` and the node's clock; 0 switches the check off. */
  max_token_age_s: count.default(300),
  /** File of the seed (SN…) of the node's key. Default: a new key at each start. */
  node_seed_file: text.optional(),
  no_sandbox: z.boolean().default(false),
  node_limits: z
    .strictObject({
      max_workloads: count.default(0),
      max_total_bytes: count.default(0),
      max_workload_bytes: count.default(0),
    })
    .prefault({}),
  otel_metrics: z.boolean().default(false),
  otel_metrics_exporter: text.default("file"),
  otel_metrics_port: count.default(8085),
  otel_traces: z.boolean().default(false),
  otel_traces_exporter: text.default("file"),
  otlp_exporter_url: text.default("127.0.0.1:14532"),
  pid_filepath: text.optional(),
  preserve_network: z.boolean().default(false),
  /** Without sandbox: whether agents are confined as far as the host lets us, or may do what the node may. */
  process_isolation: z.enum(["auto", "none"]).default("auto"),
  /** Absolute paths that confined agents do not see, where bubblewrap is installed. */
  process_hidden_paths: z.array(text.startsWith("/", "expected an absolute path")).default([]),
  /** Of each agent and its workload; 0 for none. */
  process_limits: z
    .strictObject({
      /** Default: three quarters of the host's memory. */
      memory_mib: count.optional(),
      /** Processes and threads. */
      processes: count.default(1024),
    })
    .prefault({}),
  public_nats_server: PublicNatsServer.optional(),
  rate_limiters: z
    .strictObject({ bandwidth: TokenBucket.optional(), iops: TokenBucket.optional() })
    .optional(),
  rootfs_file: text.optional(),
  rootfs_filepath: text.optional(),
  /** What workloads run in; `auto` is Firecracker or QEMU, whichever works. `process` is the same as `no_sandbox`. */
  sandbox: z.enum(SANDBOX_SETTINGS).default("auto"),
  /** How long a shutdown may take; then whatever is left is killed. The process gives up by itself after 30 s. */
  shutdown_timeout_ms: milliseconds.max(25_000).default(15_000),
  /** Of ours: where the networks of virtual machines are recorded, for all nodes of the host. */
  state_dir: text.startsWith("/", "expected an absolute path").default("/var/lib/nex"),
  tags: z.record(text, text).default({}),
  valid_issuers: z.array(text).default([]),
  workload_types: z
    .array(z.enum(WORKLOAD_TYPES))
    .default([])
    .transform((types) => (types.length > 0 ? types : [...WORKLOAD_TYPES])),
  /** File of the seed (SX…) of the node's xkey. Default: a new one at each start. */
  xkey_seed_file: text.optional(),
});

/** A checked configuration with all defaults in place. */
export type NodeConfiguration = z.output<typeof ConfigurationFile>;
