import { isUtf8 } from "node:buffer";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, inflateRaw } from "node:zlib";
import type { ZlibOptions } from "node:zlib";
import { ServiceFailure } from "../service-failure.ts";
import { tooLarge } from "./exchange.ts";

type Decoder = (body: Buffer, options: ZlibOptions) => Promise<Buffer>;

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ["gzip", promisify<Buffer, ZlibOptions, Buffer>(gunzip)],
  ["x-gzip", promisify<Buffer, ZlibOptions, Buffer>(gunzip)],
  [
    "br",
    async (body, { maxOutputLength }) =>
      unbrotli(body, maxOutputLength === undefined ? {} : { maxOutputLength }),
  ],
  ["deflate", async (body, options) => (isZlib(body) ? zlibInflate : rawInflate)(body, options)],
]);
const MAX_ENCODINGS = 4;

const unbrotli = promisify(brotliDecompress) as (
  body: Buffer,
  options: { maxOutputLength?: number },
) => Promise<Buffer>;
const zlibInflate = promisify<Buffer, ZlibOptions, Buffer>(inflate);
const rawInflate = promisify<Buffer, ZlibOptions, Buffer>(inflateRaw);

/**
 * Undoes the content encodings of a body. One with an encoding that was not asked for is left as it is.
 *
 * @throws {ServiceFailure} 413 when it grows beyond `maxBytes`, 500 when it is broken
 */
export async function decodeBody(body: Buffer, contentEncoding: string, maxBytes: number): Promise<Buffer> {
  const encodings = contentEncoding.split(",").map((name) => name.trim().toLowerCase());
  const applied = encodings.filter((name) => name !== "" && name !== "identity");
  if (body.length === 0 || applied.length > MAX_ENCODINGS) return body;
  let decoded = body;
  for (const name of applied.toReversed()) {
    const decode = DECODERS.get(name);
    if (decode === undefined) return body;
    decoded = await decode(decoded, { maxOutputLength: Math.max(1, maxBytes) }).catch((error: unknown) => {
      const isLarge = error instanceof RangeError;
      throw isLarge
        ? tooLarge(maxBytes)
        : new ServiceFailure(500, `http request failed: broken ${name} body`, error);
    });
  }
  return decoded;
}

/** A body as a function gets it. */
export interface BodyText {
  readonly body: string;
  /** The bytes, when they cannot be had from the text. */
  readonly body_base64?: string;
}

/** Reads a body as text, in the character set its type names. */
export function bodyText(body: Buffer, contentType: string): BodyText {
  const label = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1] ?? "utf-8";
  const decoder = textDecoder(label);
  const text = decoder.decode(body);
  if (decoder.encoding === "utf-8" && isUtf8(body)) return { body: text };
  return { body: text, body_base64: body.toString("base64") };
}

function textDecoder(label: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(label, { ignoreBOM: true });
  } catch {
    return new TextDecoder("utf-8", { ignoreBOM: true });
  }
}

/** Servers send both forms as `deflate`; the one with a header starts with its method, 8. */
function isZlib(body: Buffer): boolean {
  const first = body[0] ?? 0;
  const second = body[1] ?? 0;
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
}
