/** An IPv4 network, `192.168.127.0/24`. */
export interface Ipv4Network {
  /** Its first address as a number. */
  readonly base: number;
  readonly prefixLength: number;
}

/** Undefined when `text` is no IPv4 network. Bits beyond the prefix are ignored. */
export function parseIpv4Network(text: string): Ipv4Network | undefined {
  const [address = "", prefix = "", rest] = text.split("/");
  const value = parseIpv4(address);
  const prefixLength = /^\d{1,2}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (rest !== undefined || value === undefined || !(prefixLength <= 32)) return undefined;
  return { base: (value & maskOf(prefixLength)) >>> 0, prefixLength };
}

/** Whether the network contains the address; false for anything that is no IPv4 address. */
export function networkContains({ base, prefixLength }: Ipv4Network, address: string): boolean {
  const value = parseIpv4(address);
  return value !== undefined && (value & maskOf(prefixLength)) >>> 0 === base;
}

/** `255.255.255.0` for 24 */
export function netmaskText(prefixLength: number): string {
  return ipv4Text(maskOf(prefixLength));
}

/** The address that host-local gives to the gateway unless told otherwise. */
export function firstAddress({ base }: Ipv4Network): string {
  return ipv4Text(base + 1);
}

/** Undefined when `text` is no IPv4 address in four decimal parts. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const parts = match?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((value, part) => value * 256 + part, 0);
}

function maskOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}

function ipv4Text(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}
