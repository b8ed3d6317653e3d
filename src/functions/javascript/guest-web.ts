import type {
  GuestHostServices,
  GuestHostServicesParts,
  GuestServiceCall,
  GuestServiceKit,
} from "../../host-services/guest/guest-host-services.ts";
import type { GuestCalls, OutgoingCall } from "./guest-calls.ts";
import type { GuestCompute } from "./guest-compute.ts";
import type { GuestErrors, MakeDomException } from "./guest-errors.ts";
import type { GuestFetchParts } from "./guest-fetch.ts";
import type { GuestHeaders } from "./guest-headers.ts";
import type { GuestText } from "./guest-text.ts";
import type { GuestTimers, GuestTimersParts } from "./guest-timers.ts";

type Globals = Readonly<Record<string, object>>;

/** Makers of the web's interfaces that are made when they are needed, each from its own source text. */
export interface GuestLateParts {
  readonly errors: () => GuestErrors;
  readonly text: () => GuestText;
  readonly base64: (domException: MakeDomException) => Globals;
  readonly url: (compute: GuestCompute, text: GuestText) => Globals;
  readonly clone: (domException: MakeDomException, unclonable: () => readonly object[]) => Globals;
  readonly crypto: (compute: GuestCompute, text: GuestText, domException: MakeDomException) => Globals;
  readonly headers: () => GuestHeaders;
  readonly fetch: (parts: GuestFetchParts) => Globals;
}

/** Makers of the rest. */
export interface GuestWebParts {
  readonly createTimers: (parts: GuestTimersParts) => GuestTimers;
  readonly createCalls: (send: (call: OutgoingCall) => void) => GuestCalls;
  readonly createHostServices: (parts: GuestHostServicesParts) => GuestServiceKit;
  readonly load: <Name extends keyof GuestLateParts>(name: Name) => GuestLateParts[Name];
}

/** Ways out of the isolate. */
export interface GuestWays extends GuestTimersParts {
  readonly compute: GuestCompute;
  readonly call: GuestServiceCall;
  readonly send: (call: OutgoingCall) => void;
}

/** The web's interfaces and the host services, ready to be installed. */
export interface GuestWeb {
  readonly globals: Globals;
  /** Names of globals and what makes them all. */
  readonly lateGlobals: readonly (readonly [names: readonly string[], make: () => Globals])[];
  readonly hostServices: GuestHostServices;
  readonly calls: GuestCalls;
  readonly timers: GuestTimers;
}

/** Puts the parts together. Runs inside the isolate, from its own source text: refers to nothing outside its body. */
export function guestWeb(parts: GuestWebParts, ways: GuestWays): GuestWeb {
  const { load } = parts;
  const { compute } = ways;
  const once = <T>(make: () => T): (() => T) => {
    let made: { readonly value: T } | undefined;
    return () => (made ??= { value: make() }).value;
  };
  const timers = parts.createTimers(ways);
  const calls = parts.createCalls(ways.send);
  const { callLater } = calls;

  const errors = once(() => load("errors")());
  const text = once(() => load("text")());
  const headers = once(() => load("headers")());
  const url = once(() => load("url")(compute, text()));
  const { hostServices, readHttp } = parts.createHostServices({
    call: ways.call,
    callLater,
    encode: (value) => text().encode(value),
  });
  const fetch = once(() =>
    load("fetch")({ text: text(), headers: headers(), callLater, readHttp, url: url() }),
  );
  const unclonable = (): readonly object[] => {
    const { Request, Response } = fetch();
    return [headers().globals.Headers, Request, Response, ...Object.values(url())] as object[];
  };
  return {
    globals: timers.globals,
    lateGlobals: [
      [["DOMException"], () => errors().globals],
      [["TextEncoder", "TextDecoder"], () => text().globals],
      [["atob", "btoa"], once(() => load("base64")(errors().domException))],
      [["URL", "URLSearchParams"], url],
      [["structuredClone"], once(() => load("clone")(errors().domException, unclonable))],
      [["crypto"], once(() => load("crypto")(compute, text(), errors().domException))],
      [["Headers"], () => headers().globals],
      [["Request", "Response", "fetch"], fetch],
    ],
    hostServices,
    calls,
    timers,
  };
}
