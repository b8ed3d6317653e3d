import type { Check } from "./check.ts";
import { checkBucket } from "./bucket-check.ts";
import { checkClock } from "./clock-check.ts";
import { checkConnection } from "./connection-check.ts";
import { checkJetStream } from "./jetstream-check.ts";
import { checkKeys } from "./keys-check.ts";
import { checkNatsServer } from "./nats-server-check.ts";
import { checkNodeJs } from "./node-js-check.ts";
import { checkNodes } from "./nodes-check.ts";
import { checkPermissions } from "./permissions-check.ts";

/** Everything that `nex doctor` looks at, in this order. A new check is a file and a line here. */
export const checks: readonly Check[] = [
  { name: "node.js", needsConnection: false, run: checkNodeJs },
  { name: "nats-server", needsConnection: false, run: checkNatsServer },
  { name: "keys", needsConnection: false, run: checkKeys },
  { name: "connection", needsConnection: true, run: checkConnection },
  { name: "jetstream", needsConnection: true, run: checkJetStream },
  { name: "permissions", needsConnection: true, run: checkPermissions },
  { name: "bucket", needsConnection: true, run: checkBucket },
  { name: "nodes", needsConnection: true, run: checkNodes },
  { name: "clock", needsConnection: true, run: checkClock },
];
