/**
 * Micro service discovery: answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, for all services, for one name and for one
 * instance (https://github.com/nats-io/nats-architecture-and-design, ADR-32), so that `nats micro ls`, `info` and `stats` show
 * what a node offers.
 */
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { EndpointCounts } from "./endpoint-counts.ts";

/** A subject that a service answers on. */
export interface ServiceEndpoint {
  /** Letters, digits, `-` and `_`; see {@link discoveryName}. */
  readonly name: string;
  readonly subject: string;
  /** Empty for none. */
  readonly queueGroup: string;
  readonly counts: EndpointCounts;
}

/** One instance of a service. */
export interface Service {
  /** Letters, digits, `-` and `_`. */
  readonly name: string;
  /** Unique among the instances; one subject token. */
  readonly id: string;
  /** Shown as `0.0.0` when it is no semantic version. */
  readonly version: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly startedAt: Date;
  readonly endpoints: readonly ServiceEndpoint[];
}

/** Answers discovery for a service until it is disposed. What the server does not permit is not answered. */
export function serveDiscovery(connection: NatsConnection, service: Service): Disposable {
  const answers = {
    PING: () => ({ type: "io.nats.micro.v1.ping_response", ...identity(service) }),
    INFO: () => information(service),
    STATS: () => statistics(service),
  } as const;
  const subscriptions = Object.entries(answers).flatMap(([verb, answer]) =>
    ["", `.${service.name}`, `.${service.name}.${service.id}`].map((suffix) =>
      connection.subscribe(`$SRV.${verb}${suffix}`, {
        callback: (error, message) => {
          if (error === null) respond(message, answer());
        },
      }),
    ),
  );
  return {
    [Symbol.dispose]: () => {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}

/** `text` with every character that names of services and endpoints cannot have replaced. */
export function discoveryName(text: string): string {
  const name = text
    .replaceAll("*", "any")
    .replaceAll(">", "all")
    .replaceAll(/[^A-Za-z0-9_-]/g, "-")
    .replace(/^-+/, "");
  return name === "" ? "default" : name;
}

function identity({ name, id, version, metadata }: Service): object {
  return { name, id, version: SEMANTIC_VERSION.test(version) ? version : "0.0.0", metadata };
}

/** `subjects` is what tools before endpoints had names want. */
function information(service: Service): object {
  return {
    type: "io.nats.micro.v1.info_response",
    ...identity(service),
    description: service.description,
    subjects: service.endpoints.map(({ subject }) => subject),
    endpoints: service.endpoints.map((endpoint) => ({ ...address(endpoint), metadata: {} })),
  };
}

function statistics(service: Service): object {
  return {
    type: "io.nats.micro.v1.stats_response",
    ...identity(service),
    started: service.startedAt.toISOString(),
    endpoints: service.endpoints.map((endpoint) => {
      const { requests, errors, lastError, processingNs } = endpoint.counts.figures;
      return {
        ...address(endpoint),
        num_requests: requests,
        num_errors: errors,
        last_error: lastError,
        processing_time: processingNs,
        average_processing_time: requests === 0 ? 0 : Math.floor(processingNs / requests),
      };
    }),
  };
}

function address({ name, subject, queueGroup }: ServiceEndpoint): object {
  return { name, subject, queue_group: queueGroup };
}

function respond(message: Msg, answer: object): void {
  try {
    message.respond(JSON.stringify(answer));
  } catch {
    // The connection is closing: nobody is left to answer.
  }
}

/** https://semver.org, its own expression. */
const SEMANTIC_VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/;
