import { BlockList, isIP } from "node:net";

/** Decides which addresses functions may connect to. */
export interface AddressGuard {
  /** Why not; undefined when they may. `host` is the name the address was found by, or the address itself. */
  refusal(address: string, host: string): string | undefined;
}

/** IPv4 ranges that are not the public internet (IANA's special-purpose registry), by what they are. */
const RESERVED: Readonly<Record<string, readonly string[]>> = {
  unspecified: ["0.0.0.0/8"],
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
  "shared (carrier-grade NAT)": ["100.64.0.0/10"],
  loopback: ["127.0.0.0/8"],
  "metadata service": ["169.254.169.254/32", "168.63.129.16/32"],
  "link-local": ["169.254.0.0/16"],
  reserved: ["192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"],
  documentation: ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"],
  multicast: ["224.0.0.0/4"],
};

/** The same for IPv6; outside of 2000::/3 everything else is reserved, too. */
const RESERVED_6: Readonly<Record<string, readonly string[]>> = {
  unspecified: ["::/128"],
  loopback: ["::1/128"],
  private: ["fc00::/7", "fec0::/10"],
  "link-local": ["fe80::/10"],
  multicast: ["ff00::/8"],
  documentation: ["2001:db8::/32", "3fff::/20"],
  // Teredo, ORCHID and 6to4, which carry IPv4 addresses of any kind, among them.
  reserved: ["2001::/23", "2002::/16", "5f00::/16"],
};

/** Prefixes whose last 32 bits are the IPv4 address that is really meant: mapped, compatible, NAT64. */
const EMBEDDING = /^(?:0:0:0:0:0:ffff|0:0:0:0:0:0|64:ff9b:0:0:0:0):([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/**
 * Refuses everything but the public internet, except what `allow` lists: addresses, CIDR ranges, host names and
 * `*.domain`.
 */
export function createAddressGuard(allow: readonly string[]): AddressGuard {
  const allowed = new BlockList();
  const names = new Set<string>();
  for (const entry of allow) {
    const network = parseNetwork(entry);
    if (network === undefined) names.add(normalizeHost(entry));
    else allowed.addSubnet(network.address, network.prefix, network.family);
  }
  const refusals = [...blockLists(RESERVED), ...blockLists(RESERVED_6)];
  const isAllowedName = (host: string): boolean => {
    const name = normalizeHost(host);
    if (names.has(name)) return true;
    const parents = name.split(".").slice(1);
    return parents.some((_part, index) => names.has(`*.${parents.slice(index).join(".")}`));
  };
  const judge = (address: string): string | undefined => {
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (allowed.check(address, family)) return undefined;
    const found = refusals.find(({ list }) => list.check(address, family));
    if (found !== undefined) return found.kind;
    return family === "ipv6" && !PUBLIC_6.check(address, "ipv6") ? "reserved" : undefined;
  };
  return {
    refusal: (address, host) => {
      if (isAllowedName(host)) return undefined;
      const plain = canonicalAddress(address);
      if (plain === undefined) return "unknown";
      if (isIP(address) === 6 && allowed.check(withoutZone(address), "ipv6")) return undefined;
      return judge(plain);
    },
  };
}

/** Whether an entry of an allow list can be understood. */
export function isAllowEntry(entry: string): boolean {
  if (parseNetwork(entry) !== undefined) return true;
  return /^(\*\.)?(?!\d+(\.\d+)*$)[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*\.?$/i.test(
    entry,
  );
}

const PUBLIC_6 = new BlockList();
PUBLIC_6.addSubnet("2000::", 3, "ipv6");

interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

function parseNetwork(text: string): Network | undefined {
  const [address = "", prefixText, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || address.includes("%") || rest.length > 0) return undefined;
  const longest = version === 6 ? 128 : 32;
  if (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText)) return undefined;
  const prefix = prefixText === undefined ? longest : Number(prefixText);
  return prefix > longest ? undefined : { address, prefix, family: version === 6 ? "ipv6" : "ipv4" };
}

function* blockLists(
  ranges: Readonly<Record<string, readonly string[]>>,
): Generator<{ readonly kind: string; readonly list: BlockList }> {
  for (const [kind, networks] of Object.entries(ranges)) {
    const list = new BlockList();
    for (const network of networks) {
      const parsed = parseNetwork(network);
      if (parsed !== undefined) list.addSubnet(parsed.address, parsed.prefix, parsed.family);
    }
    yield { kind, list };
  }
}

/** The IPv4 address in an IPv6 one that stands for it, else the address itself; undefined when it is none. */
function canonicalAddress(address: string): string | undefined {
  const bare = withoutZone(address);
  switch (isIP(bare)) {
    case 4:
      return bare;
    case 6: {
      const groups = sixGroups(bare);
      // :: and ::1 have names of their own.
      if (/^(0:){7}[01]$/.test(groups)) return bare;
      const [, high, low] = EMBEDDING.exec(groups) ?? [];
      if (high === undefined || low === undefined) return bare;
      const value = (Number.parseInt(high, 16) << 16) | Number.parseInt(low, 16);
      return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join(".");
    }
    default:
      return undefined;
  }
}

/** An IPv6 address with all of its eight groups, without leading zeros. */
function sixGroups(address: string): string {
  const compressed = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = "", right] = compressed.split("::");
  const head = left === "" ? [] : left.split(":");
  if (right === undefined) return head.join(":");
  const tail = right === "" ? [] : right.split(":");
  return [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail].join(":");
}

function withoutZone(address: string): string {
  return address.split("%", 1)[0] ?? "";
}

function normalizeHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}
