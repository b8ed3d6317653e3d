import { z } from "zod";
import { NexError } from "../lib/errors.ts";
import { goUrlFromText } from "./go-url.ts";
import { wireObject } from "./json.ts";

const GoUrlStruct = wireObject({
  /** `nats` by convention. */
  Scheme: z.string().default(""),
  Opaque: z.string().default(""),
  /** `{}` when the URL had user information (Go loses its content), else null. */
  User: z
    .looseObject({})
    .transform(() => ({}))
    .nullable()
    .default(null),
  /** The object store bucket. */
  Host: z.string().default(""),
  /** Decoded, with its leading `/`. */
  Path: z.string().default(""),
  /** Only set when the encoded path is not the default encoding of `Path`. */
  RawPath: z.string().default(""),
  OmitHost: z.boolean().default(false),
  ForceQuery: z.boolean().default(false),
  RawQuery: z.string().default(""),
  Fragment: z.string().default(""),
  RawFragment: z.string().default(""),
});

/**
 * The `location` of an artifact as it travels: a parsed Go URL (`url.URL` of net/url) with all eleven keys. Reads any
 * subset of them, and a URL string too.
 */
export const GoUrl = z.unknown().transform((value, context): GoUrl => {
  if (typeof value === "string") {
    const url = goUrlFromText(value);
    if (typeof url !== "string") return url;
    context.addIssue({ code: "custom", message: `is not a URL: ${url}` });
    return z.NEVER;
  }
  const result = GoUrlStruct.safeParse(value);
  if (result.success) return result.data;
  const missing = value === undefined;
  const field = result.error.issues[0]?.path[0];
  context.addIssue({
    code: "custom",
    message: missing ? "is missing" : field === undefined ? "must be an object" : "is of the wrong type",
    ...(field === undefined ? {} : { path: [field] }),
  });
  return z.NEVER;
});
export type GoUrl = z.output<typeof GoUrlStruct>;

/** Where an artifact is stored. */
export interface ArtifactLocation {
  /** Object store bucket. */
  readonly bucket: string;
  /** Object name: the path without leading and trailing `/`. */
  readonly key: string;
}

/** Parses `nats://BUCKET/key` as Go does. Throws LOCATION_INVALID when it is no URL or names no bucket or object. */
export function parseLocation(text: string): GoUrl {
  const url = goUrlFromText(text);
  if (typeof url === "string") throw locationError(text, url);
  artifactLocation(url);
  return url;
}

/** Bucket and object of a location. Throws LOCATION_INVALID when either is empty. */
export function artifactLocation({ Host, Path }: GoUrl): ArtifactLocation {
  const key = trimSlashes(Path);
  if (Host === "") throw locationError(Path, "the bucket is missing");
  if (key === "") throw locationError(Host, "the object name is missing");
  return { bucket: Host, key };
}

/** The location of an object, `Host` and `Path` set. */
export function locationOf({ bucket, key }: ArtifactLocation): GoUrl {
  return {
    Scheme: "nats",
    Opaque: "",
    User: null,
    Host: bucket,
    Path: `/${key}`,
    RawPath: "",
    OmitHost: false,
    ForceQuery: false,
    RawQuery: "",
    Fragment: "",
    RawFragment: "",
  };
}

function locationError(text: string, reason: string): NexError {
  return new NexError({
    code: "LOCATION_INVALID",
    message: `Location ${JSON.stringify(withoutPassword(text))} is not usable: ${reason}`,
    hint: "Give the artifact as nats://BUCKET/OBJECT",
  });
}

/** By hand: a regular expression takes quadratic time for many slashes in the middle. */
function trimSlashes(path: string): string {
  let start = 0;
  let end = path.length;
  while (start < end && path.charAt(start) === "/") start++;
  while (end > start && path.charAt(end - 1) === "/") end--;
  return path.slice(start, end);
}

function withoutPassword(text: string): string {
  return text.replace(/\/\/[^/?#]*@/u, "//…@");
}
