// Requests that the agent's thread waits for, against the node's end of their stream: a link, or bare bytes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { FRAME_KIND, encodeFrame } from "../../src/agent-api/frame.ts";
import type { FrameHead } from "../../src/agent-api/frame.ts";
import { createIpcLink } from "../../src/agent-api/ipc-link.ts";
import { until } from "../support/until.ts";
import type { CallsEndReport } from "./fixtures/calls-end.ts";

const PROGRAM = fileURLToPath(new URL("./fixtures/calls-end.ts", import.meta.url));
const CLOSED: CallsEndReport = { kind: "failed", code: "LINK_CLOSED" };

interface CallsEnd extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly stream: Duplex;
  /** Grows while the process runs. */
  readonly reports: CallsEndReport[];
  /** All reports, once the process has ended. */
  readonly done: () => Promise<readonly CallsEndReport[]>;
}

/** Starts a process that makes one request of each length. */
function startCallsEnd(...lengths: readonly number[]): CallsEnd {
  const child = spawn(process.execPath, [PROGRAM, ...lengths.map(String)], {
    stdio: ["ignore", "pipe", "inherit", "pipe"],
  });
  const stream = child.stdio[3];
  if (!(stream instanceof Duplex) || child.stdout === null) throw new Error("a pipe is missing");
  stream.on("error", () => {});
  const reports: CallsEndReport[] = [];
  createInterface({ input: child.stdout }).on("line", (line) =>
    reports.push(JSON.parse(line) as CallsEndReport),
  );
  const closed = once(child, "close");
  return {
    child,
    stream,
    reports,
    done: async () => {
      await closed;
      return reports;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      stream.destroy();
      await closed;
    },
  };
}

function frame(head: Partial<FrameHead>, body = new Uint8Array(0)): Buffer {
  const bytes = encodeFrame({ kind: FRAME_KIND.reply, id: 1, subject: "", headers: {}, ...head }, body);
  assert.ok(bytes !== undefined);
  return bytes;
}

test("BlockingCalls carries requests and answers of any size, one after the other (B1)", async () => {
  const lengths = [0, 0, 1, 0, 0, 0, 70_000, 3_000_000, 0];
  await using end = startCallsEnd(...lengths);
  await using link = createIpcLink(end.stream);
  link.handle("ask", async ({ headers, body }) => {
    assert.ok(body.every((byte) => byte === body.length % 251));
    await new Promise((resolve) => setImmediate(resolve));
    return { headers: { seen: headers["length"] ?? "" }, body: new Uint8Array(body.length).fill(7) };
  });
  assert.deepEqual(
    await end.done(),
    lengths.map((bytes) => ({ kind: "replied", headers: { seen: String(bytes) }, bytes })),
  );
});

test("BlockingCalls says that nobody handles a request, and that one is too large, and works on", async () => {
  await using end = startCallsEnd(1, 65 * 1024 * 1024, 1);
  await using _link = createIpcLink(end.stream);
  assert.deepEqual(await end.done(), [
    { kind: "failed", code: "LINK_NO_RESPONDERS" },
    { kind: "failed", code: "LINK_MESSAGE_TOO_LARGE" },
    { kind: "failed", code: "LINK_NO_RESPONDERS" },
  ]);
});

test("BlockingCalls fails at once when the node goes away in the middle of a call, and from then on (B1)", async () => {
  await using end = startCallsEnd(1, 1);
  await once(end.stream, "data");
  end.stream.destroy();
  assert.deepEqual(await end.done(), [CLOSED, CLOSED]);
});

test("BlockingCalls fails at once when the node closes its end in the middle of a call", async () => {
  await using end = startCallsEnd(1, 1);
  const link = createIpcLink(end.stream);
  const asked = Promise.withResolvers<void>();
  link.handle("ask", () => {
    asked.resolve();
    return new Promise<undefined>(() => {});
  });
  await asked.promise;
  await link.close();
  assert.deepEqual(await end.done(), [CLOSED, CLOSED]);
});

test("BlockingCalls skips answers that are not for it and malformed ones; what it cannot delimit ends it (B2)", async () => {
  await using end = startCallsEnd(1, 1, 1);
  await once(end.stream, "data");
  end.stream.write(frame({ id: 99 }));
  end.stream.write(frame({ kind: FRAME_KIND.publish, subject: "ask" }));
  end.stream.write(Buffer.from([0, 0, 0, 2, 0, 0, 0, 1, 9, 9, 9]));
  end.stream.write(frame({ id: 1, headers: { right: "yes" } }));
  await until(() => end.reports.length === 1);
  end.stream.write(Buffer.alloc(64, 0xff));
  assert.deepEqual(await end.done(), [
    { kind: "replied", headers: { right: "yes" }, bytes: 0 },
    CLOSED,
    CLOSED,
  ]);
});

test("The node's end of blocking calls is lost, and only that, when the agent is killed in the middle of one", async () => {
  await using end = startCallsEnd(1);
  await using link = createIpcLink(end.stream);
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<undefined>();
  link.handle("ask", () => {
    asked.resolve();
    return answer.promise;
  });
  await asked.promise;
  end.child.kill("SIGKILL");
  assert.equal((await link.closed).kind, "lost");
  answer.resolve(undefined);
});
