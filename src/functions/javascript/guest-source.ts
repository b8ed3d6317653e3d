import { guestHostServices } from "../../host-services/guest/guest-host-services.ts";
import { guestBase64 } from "./guest-base64.ts";
import { guestCalls } from "./guest-calls.ts";
import { guestClone } from "./guest-clone.ts";
import { guestConsole } from "./guest-console.ts";
import { guestContext } from "./guest-context.ts";
import { guestCrypto } from "./guest-crypto.ts";
import { guestErrors } from "./guest-errors.ts";
import { guestFetch } from "./guest-fetch.ts";
import { guestHeaders } from "./guest-headers.ts";
import { guestInspect } from "./guest-inspect.ts";
import { guestMailbox } from "./guest-mailbox.ts";
import { guestRunner } from "./guest-runner.ts";
import { guestText } from "./guest-text.ts";
import { guestTimers } from "./guest-timers.ts";
import { guestUrl } from "./guest-url.ts";
import { guestWeb } from "./guest-web.ts";
import type { GuestLateParts } from "./guest-web.ts";

// Guest code travels as the text of its functions, so it is type-checked here and survives bundling.

/** Code of a new context's guest, with `$0` to `$9` as `GuestHost` names them. */
export const GUEST_SOURCE = `"use strict";
const { eval: evaluate } = globalThis;
const late = $7;
const parts = {
  createTimers: ${String(guestTimers)},
  createCalls: ${String(guestCalls)},
  createHostServices: ${String(guestHostServices)},
  load: (name) => evaluate(late[name]),
};
return (${String(guestContext)})({
  inspect: (${String(guestInspect)})(),
  createConsole: ${String(guestConsole)},
  createWeb: (ways) => (${String(guestWeb)})(parts, ways),
  createMailbox: ${String(guestMailbox)},
  createRunner: ${String(guestRunner)},
}, { log: $0, call: $1, send: $2, compute: $3, wake: $4, environment: $5, waits: $6, mentioned: $8, mailbox: $9 });`;

/** Parts of the guest that few functions need: compiling them all would take most of a start. */
export const LATE_SOURCES: Readonly<Record<keyof GuestLateParts, string>> = {
  errors: late(guestErrors),
  text: late(guestText),
  base64: late(guestBase64),
  url: late(guestUrl),
  clone: late(guestClone),
  crypto: late(guestCrypto),
  headers: late(guestHeaders),
  fetch: late(guestFetch),
};

function late(part: unknown): string {
  return `"use strict";(${String(part)})\n//# sourceURL=nex:guest`;
}
