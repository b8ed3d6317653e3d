import { ALWAYS_DENIED, subjectsOverlap } from "../control-api/trigger-overlap.ts";
import type { MessagingAction } from "../host-services/host/messaging.ts";
import type { NodeConfiguration } from "./configuration.ts";

/** Subjects of buckets: a function reaches its own ones by the services, and nobody else's. */
const OF_BUCKETS: readonly string[] = ["$KV.>", "$O.>"];

/**
 * Why functions of a namespace may not send to a subject; undefined when they may. The node's deny list holds for
 * everybody; buckets' subjects are closed unless the namespace's own list opens them.
 */
export function messagingRefusal(
  { deny_trigger_subjects: denied, host_services: { namespaces } }: NodeConfiguration,
  namespace: string,
): (action: MessagingAction, subject: string) => string | undefined {
  const own = namespaces[namespace] ?? namespaces["*"];
  const isIn = (subject: string, patterns: readonly string[]): boolean =>
    patterns.some((pattern) => subjectsOverlap(subject, pattern));
  return (action, subject) => {
    if (isIn(subject, [...ALWAYS_DENIED, ...denied]))
      return `The subject ${subject} overlaps with subject(s) in this node's deny list`;
    const allowed = own?.[action];
    if (allowed === undefined ? !isIn(subject, OF_BUCKETS) : isIn(subject, allowed)) return undefined;
    return `Namespace ${namespace} may not ${action === "publish" ? "publish to" : "request"} the subject ${subject}`;
  };
}
