import type { NatsConnection } from "@nats-io/transport-node";
import { limitService } from "../host-services/host/call-limits.ts";
import type { CallLimits, LimitedService, TimedService } from "../host-services/host/call-limits.ts";
import type { HostService, WorkloadServices } from "../host-services/host/host-services.ts";
import { createHttpService } from "../host-services/host/http/http.ts";
import { createKeyValueService } from "../host-services/host/kv.ts";
import { createMessagingService, messagingTimeout } from "../host-services/host/messaging.ts";
import { createNatsAccess } from "../host-services/host/nats-access.ts";
import { createObjectStoreService } from "../host-services/host/object-store.ts";
import { createInboxFor } from "../nats/connect.ts";
import type { NodeConfiguration } from "./configuration.ts";
import type { HostServicesSettings } from "./host-services-schema.ts";
import { messagingRefusal } from "./messaging-policy.ts";
import type { Workload } from "./workload.ts";

/** The NATS connections of a workload (protocol.md 6.5, 6.7). */
export interface ServiceConnections {
  /** Messaging goes where the triggers come from. */
  readonly triggers: NatsConnection;
  /** Key-value and object stores. */
  readonly hostServices: NatsConnection;
}

/** The host services of one workload, as the node's configuration has them. */
export function createWorkloadServices(
  configuration: NodeConfiguration,
  { namespace, name: workloadName }: Workload,
  connections: ServiceConnections,
): WorkloadServices {
  const { http, kv, messaging, objectstore } = configuration.host_services.services;
  const stores = createNatsAccess(async () => connections.hostServices, createInboxFor);
  const owner = { namespace, workloadName };
  const services = new Map<string, LimitedService>();
  const add = (name: string, limits: CallLimits, service: TimedService): void => {
    services.set(name, limitService(service, limits));
  };
  if (http.enabled) {
    const { allow, verify_tls: verify } = http.config;
    const limits = limitsOf(http.config, http.config.timeout_ms);
    add("http", limits, createHttpService({ allow, tls: { verify }, maxBodyBytes: limits.maxBodyBytes }));
  }
  if (kv.enabled) {
    const options = { nats: stores, owner, ...bucketOptions(kv.config) };
    add("kv", limitsOf(kv.config, options.timeoutMs), createKeyValueService(options));
  }
  if (objectstore.enabled) {
    const options = { nats: stores, owner, ...bucketOptions(objectstore.config) };
    add("objectstore", limitsOf(objectstore.config, options.timeoutMs), createObjectStoreService(options));
  }
  if (messaging.enabled) {
    const { config } = messaging;
    const times = {
      requestTimeoutMs: config.request_timeout_ms,
      requestManyTimeoutMs: config.request_many_timeout_ms,
    };
    const service = createMessagingService({
      ...times,
      nats: createNatsAccess(async () => connections.triggers, createInboxFor),
      maxBodyBytes: config.max_body_bytes,
      refusal: messagingRefusal(configuration, namespace),
    });
    const timeoutMs = (method: string): number => messagingTimeout(method, times);
    add("messaging", limitsOf(config, timeoutMs), service);
  }
  return asWorkloadServices(services, () => connections.triggers.info?.max_payload);
}

type Settings = HostServicesSettings["services"];

function limitsOf(
  config: Settings[keyof Settings]["config"],
  timeoutMs: CallLimits["timeoutMs"],
): CallLimits {
  return {
    timeoutMs,
    maxBodyBytes: config.max_body_bytes,
    maxConcurrentCalls: config.max_concurrent_calls,
    maxCallsPerInvocation: config.max_calls_per_invocation,
  };
}

function bucketOptions(config: Settings["kv"]["config"]) {
  return {
    bucket: {
      nameTemplate: config.bucket_name,
      maxBytes: config.max_bytes,
      createMissing: config.jit_provision,
    },
    timeoutMs: config.timeout_ms,
    maxBodyBytes: config.max_body_bytes,
  };
}

function asWorkloadServices(
  services: ReadonlyMap<string, LimitedService>,
  maxReplyBytes: () => number | undefined,
): WorkloadServices {
  const all = [...services.values()];
  const leaving: Disposable = {
    [Symbol.dispose]: () => {
      for (const service of all) service.leave();
    },
  };
  let asksOthers = false;
  const counted = ([name, { call }]: readonly [string, LimitedService]) => {
    if (name !== "http" && name !== "messaging") return [name, call] as const;
    const serve: HostService = async (request) => {
      asksOthers ||= name === "http" || request.method !== "publish";
      return call(request);
    };
    return [name, serve] as const;
  };
  return {
    table: new Map([...services].map(counted)),
    get asksOthers() {
      return asksOthers;
    },
    get maxReplyBytes() {
      return maxReplyBytes();
    },
    invocation: () => {
      for (const service of all) service.enter();
      return leaving;
    },
  };
}
