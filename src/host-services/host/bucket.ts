import { createHash } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { errorText } from "../../lib/errors.ts";
import type { NatsAccess } from "./nats-access.ts";
import { attempt } from "./service-failure.ts";

/** Where a workload's values are kept (protocol.md 6.3, 6.4). */
export interface BucketSettings {
  /** `${namespace}` and `${workload_name}` are replaced, in any case. */
  readonly nameTemplate: string;
  /** Size of a bucket that is created; 0 for no limit. */
  readonly maxBytes: number;
  /** Whether a missing bucket is created. */
  readonly createMissing: boolean;
}

/** Whose bucket it is. */
export interface BucketOwner {
  readonly namespace: string;
  readonly workloadName: string;
}

const MAX_NAME_LENGTH = 200;

/**
 * The name of a workload's bucket. What no bucket may be called is made valid: other characters become `_`, and a hash keeps
 * names apart that were different.
 */
export function bucketName(template: string, { namespace, workloadName }: BucketOwner): string {
  const given = template.replaceAll(/\$\{(namespace|workload_name)\}/gi, (_match, name: string) =>
    name.toLowerCase() === "namespace" ? namespace : workloadName,
  );
  const valid = given.replaceAll(/[^-\w]/g, "_");
  if (valid === given && valid !== "" && valid.length <= MAX_NAME_LENGTH) return valid;
  const hash = createHash("sha256").update(given).digest("hex").slice(0, 16);
  return `${valid.slice(0, MAX_NAME_LENGTH)}_${hash}`;
}

/** How to get at a bucket of one kind. */
export interface BucketOptions<Store> {
  readonly nats: NatsAccess;
  /** Opens or creates it. Its requests end after `timeoutMs`. */
  readonly open: (client: JetStreamClient, manager: JetStreamManager) => Promise<Store>;
  readonly timeoutMs: number;
  /** What a failure to open begins with. */
  readonly failure: string;
}

/** What is done with a bucket, and the text its failure begins with. */
export interface BucketUse<Store, Result> {
  readonly failure: string;
  readonly signal: AbortSignal;
  readonly action: (store: Store) => Promise<Result>;
}

/** A workload's bucket: opened once, and again when it has vanished underneath. */
export class Bucket<Store> {
  readonly #options: BucketOptions<Store>;
  #store: Promise<Store> | undefined;
  /** The store once it is open. */
  #present: Store | undefined;

  constructor(options: BucketOptions<Store>) {
    this.#options = options;
  }

  /** @throws {ServiceFailure} */
  async use<Result>(use: BucketUse<Store, Result>): Promise<Result> {
    const { action, failure, signal } = use;
    const opened = this.ready ?? (await this.#opened(signal));
    const first = await attempt(failure, signal, orGone(action(opened)));
    if (first.kind === "done") return first.result;
    if (this.#present === opened) {
      this.#store = undefined;
      this.#present = undefined;
    }
    return attempt(failure, signal, action(await this.#opened(signal)));
  }

  /** The store, when there is nothing to wait for. */
  get ready(): Store | undefined {
    return this.#options.nats.quick === undefined ? undefined : this.#present;
  }

  async #opened(signal: AbortSignal): Promise<Store> {
    const { nats, failure } = this.#options;
    const connection = await nats.connected(failure, signal);
    this.#store ??= this.#open(jetstream(connection, { timeout: this.#options.timeoutMs }));
    return attempt(failure, signal, this.#store);
  }

  async #open(client: JetStreamClient): Promise<Store> {
    try {
      const opened = await this.#options.open(client, await client.jetstreamManager(false));
      this.#present = opened;
      return opened;
    } catch (error) {
      this.#store = undefined;
      throw error;
    }
  }
}

type Outcome<Result> = { readonly kind: "done"; readonly result: Result } | { readonly kind: "gone" };

async function orGone<Result>(work: Promise<Result>): Promise<Outcome<Result>> {
  try {
    return { kind: "done", result: await work };
  } catch (error) {
    if (/no responders|stream not found|jetstream is not enabled/i.test(errorText(error)))
      return { kind: "gone" };
    throw error;
  }
}
