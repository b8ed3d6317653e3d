import { createHash } from "node:crypto";
import type { StoredMsg } from "@nats-io/jetstream";
import { Objm, StorageType } from "@nats-io/obj";
import type { ObjectInfo, ObjectStore } from "@nats-io/obj";
import { Bucket, bucketName } from "./bucket.ts";
import type { TimedService } from "./call-limits.ts";
import { succeeded } from "./host-services.ts";
import type { StoreOptions } from "./kv.ts";
import { readLastMessages } from "./last-messages.ts";
import type { StreamAccess } from "./last-messages.ts";
import { requireSize, ServiceFailure } from "./service-failure.ts";

/** Longest name in bytes: it is part of a subject, and a server breaks connections whose lines are too long. */
const MAX_NAME_BYTES = 1024;

/** The object store service of one workload (protocol.md 6.4). */
export function createObjectStoreService(options: StoreOptions): TimedService {
  const { maxBodyBytes } = options;
  const bucket = openBucket(options);
  return async ({ method, headers, body }, { signal }) => {
    switch (method) {
      case "get": {
        const name = nameOf(headers);
        const action = async (store: Store) => readObject(store, name, { maxBodyBytes, signal });
        return succeeded(await bucket.use({ failure: "failed to get object", signal, action }));
      }
      case "put": {
        const name = nameOf(headers);
        const action = async ({ objects }: Store) => objects.putBlob({ name }, body);
        const info = await bucket.use({ failure: "failed to put object", signal, action });
        return succeeded(infoFields(info));
      }
      case "delete": {
        const name = nameOf(headers);
        const action = async ({ objects }: Store) => {
          const info = await objects.info(name);
          return info !== null && !info.deleted && (await objects.delete(name)).success;
        };
        const deleted = await bucket.use({ failure: "failed to delete object", signal, action });
        if (!deleted) throw new ServiceFailure(404, "object not found");
        return succeeded({ success: true });
      }
      case "list": {
        const action = async (store: Store) => listObjects(store, maxBodyBytes, signal);
        return succeeded(await bucket.use({ failure: "failed to list objects", signal, action }));
      }
      default:
        throw new ServiceFailure(400, "unknown method");
    }
  };
}

interface Store {
  readonly name: string;
  readonly objects: ObjectStore;
  readonly access: StreamAccess;
}

function openBucket({ nats, owner, bucket, timeoutMs }: StoreOptions): Bucket<Store> {
  const name = bucketName(bucket.nameTemplate, owner);
  return new Bucket({
    nats,
    timeoutMs,
    failure: "failed to resolve object store",
    open: async (client, manager) => {
      const access = { client, manager, stream: `OBJ_${name}` };
      if (!bucket.createMissing) await manager.streams.info(access.stream);
      const objects = await new Objm(client).create(name, {
        max_bytes: bucket.maxBytes === 0 ? -1 : bucket.maxBytes,
        storage: StorageType.File,
      });
      return { name, objects, access };
    },
  });
}

function nameOf(headers: Readonly<Record<string, string>>): string {
  const name = headers["x-object-name"] ?? "";
  if (name === "") throw new ServiceFailure(400, "name is required");
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  throw new ServiceFailure(400, `invalid name: longer than ${MAX_NAME_BYTES} bytes`);
}

interface ReadOptions {
  readonly maxBodyBytes: number;
  readonly signal: AbortSignal;
}

/** Reads the chunks one by one: a consumer, as the library takes one, would stay on the server for minutes. */
async function readObject(store: Store, object: string, options: ReadOptions): Promise<Uint8Array> {
  const info = await store.objects.info(object);
  if (info === null || info.deleted) throw new ServiceFailure(404, "object not found");
  if (info.options?.link !== undefined) throw new ServiceFailure(400, "the object is a link");
  requireSize("the object", info.size, options.maxBodyBytes);
  const bytes = new Uint8Array(info.size);
  let filled = 0;
  let last = 0;
  while (filled < info.size && !options.signal.aborted) {
    const chunk = await nextChunk(store, info.nuid, last + 1);
    if (chunk === null || filled + chunk.data.length > info.size) throw changed();
    bytes.set(chunk.data, filled);
    filled += chunk.data.length;
    last = chunk.seq;
  }
  const digest = createHash("sha256").update(bytes).digest("base64url");
  if (info.digest.replace(/=+$/, "") !== `SHA-256=${digest}`) throw changed();
  return bytes;
}

async function nextChunk({ name, access }: Store, nuid: string, from: number): Promise<StoredMsg | null> {
  return access.manager.direct.getMessage(access.stream, {
    seq: from,
    next_by_subj: `$O.${name}.C.${nuid}`,
  });
}

function changed(): Error {
  return new Error("the object changed while it was read");
}

async function listObjects(store: Store, maxBytes: number, signal: AbortSignal): Promise<object[]> {
  const found: object[] = [];
  let bytes = 0;
  await readLastMessages(store.access, {
    filter: `$O.${store.name}.M.>`,
    headersOnly: false,
    signal,
    onMessage: (message) => {
      const info = message.json<WireInfo>();
      if (info.deleted === true) return;
      bytes += message.data.length;
      requireSize("the list of objects", bytes, maxBytes);
      // The time of the message, where the writer of the information left it out.
      found.push({ ...info, mtime: info.mtime || new Date(message.time).toISOString() });
    },
  });
  return found;
}

/** What of an object's information decides how it is listed. */
interface WireInfo {
  readonly deleted?: boolean;
  readonly mtime?: string;
}

/** An object's information as it is on the wire (protocol.md 6.4). */
function infoFields(info: ObjectInfo): object {
  const { name, description, options, metadata, bucket, nuid, size, mtime, chunks, digest } = info;
  return { name, description, options, metadata, bucket, nuid, size, mtime, chunks, digest };
}
