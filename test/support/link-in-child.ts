import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type {
  Link,
  LinkEnd,
  LinkHandler,
  LinkHeaders,
  LinkMessage,
  LinkReply,
  LinkRequestOptions,
  LinkResponse,
} from "../../src/agent-api/link.ts";
import type { ErrorCode } from "../../src/lib/errors.ts";
import { NexError, errorText } from "../../src/lib/errors.ts";

/** What a stand-in tells the real end in the child. */
export type LinkEndCommand =
  | { kind: "request"; request: number; subject: string; body: Uint8Array; options: LinkRequestOptions }
  | { kind: "publish"; subject: string; body: Uint8Array; headers: LinkHeaders | undefined }
  | { kind: "handle"; handler: number; pattern: string }
  | { kind: "unhandle"; handler: number }
  | { kind: "reply"; call: number; reply: LinkReply | undefined; error?: string }
  | { kind: "sync"; sync: number }
  | { kind: "close" };

/** What the real end tells its stand-in. */
export type LinkEndReport =
  | { kind: "response"; request: number; response: LinkResponse }
  | { kind: "failure"; request: number; code: ErrorCode }
  | { kind: "call"; call: number; handler: number; message: LinkMessage; bufferBytes: number }
  | { kind: "synced"; sync: number }
  | { kind: "closed"; end: LinkEnd }
  | { kind: "did-close" };

/** A link end in a child process, and the stream that leads to it. */
export interface LinkInChild extends AsyncDisposable {
  readonly channel: Duplex;
  readonly link: Link;
  readonly child: ChildProcess;
  readonly synced: () => Promise<void>;
}

const FIXTURE = fileURLToPath(new URL("../integration/fixtures/link-end.ts", import.meta.url));

/** Starts a process that holds the other end of a link. */
export function startLinkInChild(): LinkInChild {
  const child = spawn(process.execPath, [FIXTURE], {
    stdio: ["ignore", "inherit", "inherit", "pipe", "ipc"],
    serialization: "advanced",
    env: { NEX_CHANNEL_FD: "3" },
  });
  const channel = child.stdio[3];
  if (!(channel instanceof Duplex)) throw new Error("the child has no channel");
  const exit = once(child, "exit");
  const link = new StandIn(child);
  return {
    channel,
    child,
    link,
    synced: () => link.synced(),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exit;
    },
  };
}

/** Does with the real end what is done with it. */
class StandIn implements Link {
  readonly closed: Promise<LinkEnd>;
  readonly #child: ChildProcess;
  readonly #requests = new Map<number, PromiseWithResolvers<LinkResponse>>();
  readonly #handlers = new Map<number, LinkHandler>();
  readonly #syncs = new Map<number, () => void>();
  readonly #closed = Promise.withResolvers<LinkEnd>();
  readonly #didClose = Promise.withResolvers<void>();
  #lastNumber = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.closed = this.#closed.promise;
    child.on("message", (report: LinkEndReport) => this.#receive(report));
  }

  request(subject: string, body: Uint8Array, options: LinkRequestOptions): Promise<LinkResponse> {
    const request = this.#nextNumber();
    const settled = Promise.withResolvers<LinkResponse>();
    this.#requests.set(request, settled);
    this.#tell({ kind: "request", request, subject, body, options });
    return settled.promise;
  }

  publish(subject: string, body: Uint8Array, headers?: LinkHeaders): void {
    this.#tell({ kind: "publish", subject, body, headers });
  }

  handle(pattern: string, handler: LinkHandler): Disposable {
    const number = this.#nextNumber();
    this.#handlers.set(number, handler);
    this.#tell({ kind: "handle", handler: number, pattern });
    return { [Symbol.dispose]: () => this.#tell({ kind: "unhandle", handler: number }) };
  }

  async synced(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const sync = this.#nextNumber();
    this.#syncs.set(sync, resolve);
    this.#tell({ kind: "sync", sync });
    await promise;
  }

  async close(): Promise<void> {
    this.#tell({ kind: "close" });
    await this.#didClose.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #tell(command: LinkEndCommand): void {
    this.#child.send(command);
  }

  #receive(report: LinkEndReport): void {
    switch (report.kind) {
      case "response":
        this.#requests.get(report.request)?.resolve(ownBody(report.response));
        return;
      case "failure":
        this.#requests
          .get(report.request)
          ?.reject(new NexError({ code: report.code, message: "failed in the child" }));
        return;
      case "call":
        void this.#call(report);
        return;
      case "synced":
        this.#syncs.get(report.sync)?.();
        return;
      case "closed":
        this.#closed.resolve(report.end);
        return;
      case "did-close":
        this.#didClose.resolve();
        return;
    }
  }

  async #call({
    call,
    handler,
    message,
    bufferBytes,
  }: Extract<LinkEndReport, { kind: "call" }>): Promise<void> {
    try {
      if (bufferBytes !== message.body.length) throw new Error("the body is a view into a larger buffer");
      const reply = await this.#handlers.get(handler)?.(ownBody(message));
      this.#tell({ kind: "reply", call, reply });
    } catch (error) {
      this.#tell({ kind: "reply", call, reply: undefined, error: errorText(error) });
    }
  }

  #nextNumber(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }
}

/** Node's IPC delivers views; what they showed in the child was checked there. */
function ownBody<Message extends { readonly body: Uint8Array }>(message: Message): Message {
  return { ...message, body: new Uint8Array(message.body) };
}
