import { createHash, randomBytes, randomUUID } from "node:crypto";

const MAX_RANDOM = 65_536;
const DIGESTS: ReadonlySet<unknown> = new Set(["sha1", "sha256", "sha384", "sha512"]);
/** In the order that guest-url.ts reads. */
const URL_PARTS = [
  "href",
  "origin",
  "protocol",
  "username",
  "password",
  "host",
  "hostname",
  "port",
  "pathname",
  "search",
  "hash",
] as const satisfies readonly (keyof URL)[];

/**
 * Does the work that guest-compute.ts names. The arguments are not trusted to have any shape. Never throws: errors of
 * the host carry its paths.
 */
export function hostCompute(
  operation: unknown,
  first: unknown,
  second: unknown,
): string | Uint8Array | undefined {
  try {
    switch (operation) {
      case "url":
        return lines(URL.parse(String(first), typeof second === "string" ? second : undefined));
      case "url-with":
        return urlWith(String(first), String(second));
      case "random":
        return new Uint8Array(randomBytes(Math.min(MAX_RANDOM, Math.max(0, Number(first)))));
      case "uuid":
        return randomUUID();
      case "digest": {
        if (!DIGESTS.has(first) || !(second instanceof Uint8Array)) return undefined;
        return new Uint8Array(createHash(String(first)).update(second).digest());
      }
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

function lines(url: URL | null): string | undefined {
  return url === null ? undefined : URL_PARTS.map((part) => url[part]).join("\n");
}

function urlWith(href: string, change: string): string | undefined {
  const url = URL.parse(href);
  const end = change.indexOf("\n");
  const part = URL_PARTS.find((name) => name === change.slice(0, end));
  if (url === null || part === undefined || part === "origin") return undefined;
  url[part] = change.slice(end + 1);
  return lines(url);
}
