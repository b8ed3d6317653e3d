import type { LookupAddress, LookupOptions } from "node:dns";
import { isIP } from "node:net";
import type { LookupFunction } from "node:net";
import { ServiceFailure } from "../service-failure.ts";
import type { AddressGuard } from "./address-guard.ts";

/** Finds the addresses of a host name. */
export type ResolveHost = (host: string) => Promise<readonly LookupAddress[]>;

/**
 * A lookup for sockets that answers allowed addresses only. The socket connects to what it answers, so there is
 * no time between check and use in which a name could be pointed elsewhere.
 */
export function guardedLookup(guard: AddressGuard, resolveHost: ResolveHost): LookupFunction {
  const answer = async (host: string, options: LookupOptions, callback: LookupCallback): Promise<void> => {
    try {
      const family = familyNumber(options.family);
      const addresses = (await resolveHost(host)).filter((found) => family === 0 || family === found.family);
      const allowed = addresses.filter(({ address }) => guard.refusal(address, host) === undefined);
      const [first] = allowed;
      if (first === undefined) throw noAddress(guard, host, addresses);
      if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)), []);
    }
  };
  return (host, options, callback) => void answer(host, options, callback);
}

type LookupCallback = Parameters<LookupFunction>[2];

function noAddress(guard: AddressGuard, host: string, [refused]: readonly LookupAddress[]): Error {
  const reason = refused && guard.refusal(refused.address, host);
  return reason === undefined ? new Error(`no address for ${host}`) : refusedHost(host, reason);
}

/**
 * Sockets look nothing up for a host that is an address already.
 *
 * @throws {ServiceFailure} 403
 */
export function requireAllowedAddress(guard: AddressGuard, host: string): void {
  const reason = isIP(host) === 0 ? undefined : guard.refusal(host, host);
  if (reason !== undefined) throw refusedHost(host, reason);
}

/** Says what kind of address it was, not which: that is nobody's business outside of the network. */
function refusedHost(host: string, kind: string): ServiceFailure {
  return new ServiceFailure(
    403,
    `"${host}" has a ${kind} address, which functions may not connect to unless the node's configuration allows it`,
  );
}

/** 0 for any. */
function familyNumber(family: LookupOptions["family"]): number {
  if (family === "IPv4") return 4;
  return family === "IPv6" ? 6 : (family ?? 0);
}
