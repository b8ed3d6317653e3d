/** Bytes on their way out of a function; a string is sent as UTF-8. */
export type Content = Uint8Array | string;

/** The answer to an HTTP request, whatever its status. */
export interface HttpResponse {
  /** 100 to 599. */
  readonly status: number;
  /** By their canonical names (`Content-Type`); several values of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as text; empty when there is none. */
  readonly response: string;
  /** The body as it came. */
  readonly bytes: Uint8Array;
}

/**
 * HTTP requests through the node, which decides about reachable hosts.
 *
 * Every method throws an `Error` when there is no answer: refused by the node, unreachable, over the time limit.
 */
export interface HttpService {
  get(url: string, body?: Content): HttpResponse;
  head(url: string): HttpResponse;
  post(url: string, body?: Content): HttpResponse;
  put(url: string, body?: Content): HttpResponse;
  patch(url: string, body?: Content): HttpResponse;
  delete(url: string, body?: Content): HttpResponse;
  /** The same as `delete`. */
  del(url: string, body?: Content): HttpResponse;
}

/** The workload's key-value bucket. Every method throws an `Error` when it fails. */
export interface KeyValueService {
  /** Throws when there is no such key. */
  get(key: string): Uint8Array;
  set(key: string, value: Content): void;
  delete(key: string): void;
  keys(): string[];
}

/** What the object store knows of an object. */
export interface ObjectInfo {
  readonly name: string;
  readonly bucket: string;
  readonly nuid: string;
  /** In bytes. */
  readonly size: number;
  /** Time of the last change (RFC 3339). */
  readonly mtime: string;
  readonly chunks: number;
  /** `SHA-256=` and the digest in base64url. */
  readonly digest?: string;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly deleted?: boolean;
}

/** The workload's object store. Every method throws an `Error` when it fails. */
export interface ObjectStoreService {
  /** Throws when there is no such object. */
  get(name: string): Uint8Array;
  put(name: string, content: Content): ObjectInfo;
  delete(name: string): void;
  list(): ObjectInfo[];
}

/** Core NATS messaging under the permissions of the workload. Every method throws an `Error` when it fails. */
export interface MessagingService {
  publish(subject: string, payload: Content): void;
  /** The first answer. Throws when nobody answers in time. */
  request(subject: string, payload: Content): Uint8Array;
  /** All answers within the node's time limit; none is an empty list. */
  requestMany(subject: string, payload: Content): Uint8Array[];
}

/** A service whose methods return promises, so that several calls can be under way. */
export type AsyncService<Service> = {
  readonly [Method in keyof Service]: Service[Method] extends (...values: infer Values) => infer Result
    ? (...values: Values) => Promise<Result>
    : never;
};

/** The services that wait for their answers. */
export interface SynchronousHostServices {
  readonly http: HttpService;
  readonly kv: KeyValueService;
  readonly objectStore: ObjectStoreService;
  readonly messaging: MessagingService;
}

/** What the node does for a function: the global `hostServices`. */
export interface HostServices extends SynchronousHostServices {
  /** The same methods with promises: `await hostServices.async.kv.get("key")`. */
  readonly async: {
    readonly [Name in keyof SynchronousHostServices]: AsyncService<SynchronousHostServices[Name]>;
  };
}
