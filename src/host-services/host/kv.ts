import { Kvm } from "@nats-io/kv";
import type { KV } from "@nats-io/kv";
import type { MsgHdrs } from "@nats-io/nats-core";
import { errorText } from "../../lib/errors.ts";
import { Bucket, bucketName } from "./bucket.ts";
import type { BucketOwner, BucketSettings } from "./bucket.ts";
import type { TimedService } from "./call-limits.ts";
import type { CallTime } from "./call-time.ts";
import { succeeded } from "./host-services.ts";
import type { NatsAccess } from "./nats-access.ts";
import { readLastMessages } from "./last-messages.ts";
import type { StreamAccess } from "./last-messages.ts";
import type { QuickRequests } from "./quick-requests.ts";
import { requireSize, ServiceFailure } from "./service-failure.ts";

/** What a store service is made from. */
export interface StoreOptions {
  readonly nats: NatsAccess;
  readonly owner: BucketOwner;
  readonly bucket: BucketSettings;
  readonly timeoutMs: number;
  readonly maxBodyBytes: number;
}

/** Longest key in bytes: it is part of a subject, twice, and a server breaks connections whose lines are too long. */
const MAX_KEY_BYTES = 1024;

/** The key-value service of one workload (protocol.md 6.3). */
export function createKeyValueService(options: StoreOptions): TimedService {
  const { maxBodyBytes } = options;
  const bucket = openBucket(options);
  return async ({ method, headers, body }, time) => {
    switch (method) {
      case "get": {
        const value = await getValue(keyOf(headers), { bucket, quick: options.nats.quick, time });
        if (value === undefined) throw new ServiceFailure(404, "key not found");
        requireSize("the value", value.length, maxBodyBytes);
        return succeeded(value);
      }
      case "set": {
        const key = keyOf(headers);
        const action = async ({ kv }: Store) => kv.put(key, body);
        const revision = await bucket.use({
          failure: "failed to write value for key",
          signal: time.signal,
          action,
        });
        return succeeded({ revision, success: true });
      }
      case "delete": {
        const key = keyOf(headers);
        const action = async ({ kv }: Store) => kv.delete(key);
        await bucket.use({ failure: "failed to delete key", signal: time.signal, action });
        return succeeded({ success: true });
      }
      case "keys": {
        const { signal } = time;
        const action = async (store: Store) => readKeys(store, maxBodyBytes, signal);
        return succeeded(await bucket.use({ failure: "failed to resolve keys", signal, action }));
      }
      default:
        throw new ServiceFailure(400, "Received invalid host services RPC request");
    }
  };
}

interface Store {
  readonly kv: KV;
  readonly access: StreamAccess;
  readonly prefix: string;
  /** Whether single values can be asked for without the JetStream API. */
  readonly direct: boolean;
}

function openBucket({ nats, owner, bucket, timeoutMs }: StoreOptions): Bucket<Store> {
  const name = bucketName(bucket.nameTemplate, owner);
  return new Bucket({
    nats,
    timeoutMs,
    failure: "could not resolve k/v store",
    open: async (client, manager) => {
      const kvm = new Kvm(client);
      const access = { client, manager, stream: `KV_${name}` };
      const prefix = `$KV.${name}.`;
      if (bucket.createMissing) {
        const maxBytes = bucket.maxBytes === 0 ? -1 : bucket.maxBytes;
        const kv = await kvm.create(name, { max_bytes: maxBytes, history: 1 });
        const { config } = await manager.streams.info(access.stream);
        return { kv, access, prefix, direct: config.allow_direct };
      }
      const { config } = await manager.streams.info(access.stream);
      const kv = await kvm.open(name, { allow_direct: config.allow_direct });
      return { kv, access, prefix, direct: config.allow_direct };
    },
  });
}

function keyOf(headers: Readonly<Record<string, string>>): string {
  const key = headers["x-keyvalue-key"] ?? "";
  if (key === "") throw new ServiceFailure(400, "key is required");
  if (Buffer.byteLength(key) > MAX_KEY_BYTES)
    throw new ServiceFailure(400, `invalid key: longer than ${MAX_KEY_BYTES} bytes`);
  if (/^[-/=\w]+(\.[-/=\w]+)*$/.test(key)) return key;
  throw new ServiceFailure(
    400,
    `invalid key: ${JSON.stringify(key)}: letters, digits, "-", "_", "/", "=" and "." between them are allowed`,
  );
}

/** How to get at values. */
interface ValueAccess {
  readonly bucket: Bucket<Store>;
  readonly quick: QuickRequests | undefined;
  readonly time: CallTime;
}

const GET_FAILED = "failed to get value for key";

/** The value of a key; undefined when it has none. */
async function getValue(key: string, access: ValueAccess): Promise<Uint8Array | undefined> {
  const { bucket, quick, time } = access;
  const store = bucket.ready;
  if (store?.direct === true && quick?.usable === true) {
    const subject = `$JS.API.DIRECT.GET.${store.access.stream}.${store.prefix}${key}`;
    const answer = await quick.request(subject, time).catch(notAnswered);
    // Only what has no data can be a failure or mark a deleted key; reading the headers costs more than all the rest.
    if (answer.data.length > 0) return answer.data;
    const code = answer.headers?.code ?? 0;
    if (code === 404) return undefined;
    if (code === 0) return isDeletion(answer.headers) ? undefined : answer.data;
    // The client library finds out what is wrong, and the bucket may be made again.
  }
  const action = async ({ kv }: Store) => {
    const entry = await kv.get(key);
    return entry === null || entry.operation !== "PUT" ? undefined : entry.value;
  };
  return bucket.use({ failure: GET_FAILED, signal: time.signal, action });
}

function notAnswered(cause: unknown): never {
  throw new ServiceFailure(500, `${GET_FAILED}: ${errorText(cause)}`, cause);
}

/** Whether a message marks a deleted key. */
function isDeletion(headers: MsgHdrs | undefined): boolean {
  return ["DEL", "PURGE"].includes(headers?.get("KV-Operation") ?? "");
}

async function readKeys({ access, prefix }: Store, maxBytes: number, signal: AbortSignal): Promise<string[]> {
  const keys: string[] = [];
  let bytes = 0;
  await readLastMessages(access, {
    filter: `${prefix}>`,
    headersOnly: true,
    signal,
    onMessage: ({ subject, headers }) => {
      if (isDeletion(headers)) return;
      const key = subject.slice(prefix.length);
      bytes += key.length + 3;
      requireSize("the list of keys", bytes, maxBytes);
      keys.push(key);
    },
  });
  return keys;
}
