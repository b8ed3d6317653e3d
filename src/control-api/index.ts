export { AuctionRequest, encodeAuctionRequest, parseAuctionRequest } from "./auction.ts";
export {
  createDeployToken,
  createStopToken,
  isWorkloadName,
  STOP_CLONED,
  verifyDeployToken,
  verifyStopToken,
  type DeployTokenChecks,
  type DeployTokenInit,
  type StopTokenChecks,
  type StopTokenInit,
  type WorkloadClaims,
} from "./claims.ts";
export {
  createControlClient,
  type ControlClient,
  type ControlClientOptions,
  type EventFilter,
  type LogFilter,
  type ScatterOptions,
  type WatchedEvent,
} from "./control-client.ts";
export {
  ConnectionCredentials,
  DeployReply,
  DeployRequest,
  encodeDeployReply,
  encodeDeployRequest,
  parseDeployReply,
  parseDeployRequest,
  WORKLOAD_TYPES,
  type WorkloadType,
} from "./deploy.ts";
export type { DeployOrder } from "./deploy-order.ts";
export {
  ControlRefusedError,
  encodeFailure,
  encodeReply,
  parseReply,
  RESPONSE_TYPES,
  type Reply,
  type ResponseKind,
} from "./envelope.ts";
export {
  createEvent,
  encodeEvent,
  isEventType,
  knownEvent,
  parseEvent,
  type CloudEvent,
  type CreateEventInit,
  type KnownEvent,
} from "./events.ts";
export {
  AgentStarted,
  AgentStopped,
  EVENT_SCHEMAS,
  FunctionExecFailed,
  FunctionExecSucceeded,
  Heartbeat,
  NodeEnteredLameDuck,
  NodeStarted,
  NodeStopped,
  WorkloadDeployed,
  WorkloadUndeployed,
  type EventData,
  type EventType,
} from "./event-types.ts";
export { goUrlFromText, goUrlToText } from "./go-url.ts";
export { encodeInfoReply, InfoReply, LastExit, Machine, Memory, parseInfoReply } from "./info.ts";
export {
  createSigningKey,
  isPublicKey,
  signingKeyFromSeed,
  verifySignature,
  type SigningKey,
  type SigningKeyKind,
} from "./keys.ts";
export {
  encodeLameDuckReply,
  encodeLameDuckRequest,
  LameDuckReply,
  LameDuckRequest,
  parseLameDuckReply,
  parseLameDuckRequest,
} from "./lame-duck.ts";
export { artifactLocation, GoUrl, locationOf, parseLocation, type ArtifactLocation } from "./location.ts";
export {
  encodeLogEntry,
  LOG_LEVELS,
  LogEntry,
  logLevelOfAgent,
  logLevelText,
  parseLogLevel,
  parseWorkloadLog,
  type LogLevel,
  type WorkloadLog,
} from "./logs.ts";
export type { KeyKind } from "./nkey-text.ts";
export { parseControlSubject, type ControlSubject } from "./parse-subject.ts";
export { encodeAuctionReply, encodePingReply, parsePingReply, PingReply } from "./ping.ts";
export {
  openEnvironment,
  sealEnvironment,
  type OpenInit,
  type SealInit,
  type WorkloadEnvironment,
} from "./sealed-environment.ts";
export { createSealingKey, sealingKeyFromSeed, type SealingKey } from "./sealing-key.ts";
export { functionRuntimeText, UNKNOWN_SPAN, uptimeText } from "./span-text.ts";
export {
  encodeStopReply,
  encodeStopRequest,
  parseStopReply,
  parseStopRequest,
  StopReply,
  StopRequest,
} from "./stop.ts";
export type { StopOrder } from "./stop-order.ts";
export {
  assertNamespace,
  isNamespace,
  nodeSubscriptions,
  subjects,
  SYSTEM_NAMESPACE,
  type NodeLogStream,
  type NodeSubscriptions,
  type WorkloadLogParts,
} from "./subjects.ts";
export { ALWAYS_DENIED, findDeniedTrigger, subjectsOverlap } from "./trigger-overlap.ts";
export type { Watch } from "./watch.ts";
export {
  encodeWorkloadPingReply,
  MachineSummary,
  parseWorkloadPingReply,
  WorkloadPingReply,
} from "./workload-ping.ts";
export { ERROR_CODES, NexError, type ErrorAudience, type ErrorCode } from "../lib/errors.ts";
