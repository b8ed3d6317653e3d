import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { jetstream, JetStreamApiError } from "@nats-io/jetstream";
import { Objm, setSha256Backend } from "@nats-io/obj";
import type { ObjectStore } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { errorText, NexError } from "../../lib/errors.ts";

/** Bucket of development uploads, and its size unless told otherwise (protocol section 10.4). */
export const DEVELOPER_BUCKET = "NEXCLIFILES";
export const DEVELOPER_BUCKET_BYTES = 104_857_600;

/** What to upload. */
export interface Upload {
  readonly connection: NatsConnection;
  readonly path: string;
  /** What to upload for the file. Default: the file itself. */
  readonly content?: Uint8Array | undefined;
  /** Key of the object. */
  readonly key: string;
  /** Default {@link DEVELOPER_BUCKET}. */
  readonly bucket?: string;
  /** Size of the content, for progress. */
  readonly bytes: number;
  /** Size limit of the bucket, when it has to be made. */
  readonly bucketMaxBytes?: number | undefined;
  readonly jetStreamDomain?: string | undefined;
  readonly onProgress?: ((sentBytes: number, totalBytes: number) => void) | undefined;
  readonly signal: AbortSignal;
}

/** What lies in the bucket now. */
export interface Uploaded {
  /** Hex SHA-256 of the content. */
  readonly hash: string;
  /** True when the same content was there already. */
  readonly reused: boolean;
}

const CHUNK_BYTES = 256 * 1024;
const DESCRIPTION = "Ad hoc object storage for NEX CLI developer mode uploads";

/**
 * Puts a file into a bucket, made when it is missing, unless the same content is there already. When it fails, no part
 * of the file stays behind.
 *
 * @throws {NexError} `UPLOAD_FAILED`; what `signal` was aborted with
 */
export async function uploadWorkload(upload: Upload): Promise<Uploaded> {
  setSha256Backend("native");
  try {
    const store = await openStore(upload);
    const digest = await fileDigest(upload);
    const present = await store.info(upload.key);
    if (present !== null && !present.deleted && present.digest === objectDigest(digest)) {
      return { hash: digest.toString("hex"), reused: true };
    }
    const info = await store.put({ name: upload.key }, fileStream(upload));
    return {
      hash: Buffer.from(info.digest.slice("SHA-256=".length), "base64url").toString("hex"),
      reused: false,
    };
  } catch (cause) {
    upload.signal.throwIfAborted();
    throw uploadError(upload, cause);
  }
}

async function openStore({
  connection,
  bucket,
  bucketMaxBytes,
  jetStreamDomain,
}: Upload): Promise<ObjectStore> {
  const domain = jetStreamDomain === undefined || jetStreamDomain === "" ? {} : { domain: jetStreamDomain };
  const manager = new Objm(jetstream(connection, domain));
  if (bucket !== undefined && bucket !== DEVELOPER_BUCKET) return manager.create(bucket);
  return manager.create(DEVELOPER_BUCKET, {
    description: DESCRIPTION,
    max_bytes: bucketMaxBytes ?? DEVELOPER_BUCKET_BYTES,
  });
}

async function fileDigest(upload: Upload): Promise<Buffer> {
  const hash = createHash("sha256");
  for await (const chunk of readContent(upload)) hash.update(chunk);
  return hash.digest();
}

function readContent({ path, content, signal }: Upload): AsyncIterable<Buffer> {
  if (content === undefined) return createReadStream(path, { signal, highWaterMark: CHUNK_BYTES });
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const chunks = Array.from({ length: Math.ceil(bytes.length / CHUNK_BYTES) }, (_, index) =>
    bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  );
  return Readable.from(chunks, { signal });
}

/** As the object store writes it: base64url with padding. */
function objectDigest(digest: Buffer): string {
  return `SHA-256=${digest.toString("base64").replaceAll("+", "-").replaceAll("/", "_")}`;
}

/** The file's content; reports what was handed over before it is asked for more. */
function fileStream(upload: Upload): ReadableStream<Uint8Array> {
  const { bytes, onProgress } = upload;
  const chunks = readContent(upload)[Symbol.asyncIterator]();
  let sentBytes = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        if (sentBytes > 0) onProgress?.(sentBytes, bytes);
        const next = await chunks.next();
        if (next.done === true) {
          controller.close();
          return;
        }
        sentBytes += next.value.length;
        controller.enqueue(next.value);
      },
    },
    { highWaterMark: 0 },
  );
}

function uploadError({ path, bytes, bucket = DEVELOPER_BUCKET }: Upload, cause: unknown): NexError {
  const hint = uploadHint(cause);
  return new NexError({
    code: "UPLOAD_FAILED",
    message: `Cannot upload "${path}" (${bytes} bytes) to object store "${bucket}": ${errorText(cause)}`,
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

function uploadHint(cause: unknown): string | undefined {
  if (/jetstream.*not enabled|jetstream is not/i.test(errorText(cause))) {
    return 'Uploads need JetStream: start the server with it ("nats-server -js", "nex node up --embedded-nats")';
  }
  if (
    cause instanceof JetStreamApiError &&
    /maximum bytes|insufficient storage|resource/i.test(cause.message)
  ) {
    return "The bucket or the account is full: remove objects from it, or make the bucket larger (--bucketmaxbytes when it is created)";
  }
  return undefined;
}
