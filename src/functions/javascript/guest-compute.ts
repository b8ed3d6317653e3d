/**
 * Work that the host does for the guest while it waits, named by its first argument; `undefined` when the host
 * refuses. Plain values only, both ways.
 */
export interface GuestCompute {
  /** The parts of a URL, one a line as `URL_PARTS` in guest-url.ts lists them. */
  (operation: "url", input: string, base: string | undefined): string | undefined;
  /** The same after a part was set; `part` is a name and its new value, separated by a line break. */
  (operation: "url-with", href: string, part: string): string | undefined;
  (operation: "random", length: number, unused?: undefined): Uint8Array | undefined;
  (operation: "uuid", unused?: undefined, unused2?: undefined): string | undefined;
  /** `algorithm` as Node.js names it. */
  (operation: "digest", algorithm: string, data: Uint8Array): Uint8Array | undefined;
}
