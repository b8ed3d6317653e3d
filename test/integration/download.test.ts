import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { download } from "../../src/lib/download.ts";
import { NexError } from "../../src/lib/errors.ts";

const CONTENT = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 31) % 251));
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");
let root = "";
before(async () => {
  root = await mkdtemp(join(tmpdir(), "nex-test-download-"));
});
after(async () => rm(root, { recursive: true, force: true }));

/** A host on loopback and what it was asked for. */
async function startHost(answer: (request: IncomingMessage, response: ServerResponse, nth: number) => void) {
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    answer(request, response, ranges.length);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`,
    ranges,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers as static file servers do, with ranges. */
function serve(request: IncomingMessage, response: ServerResponse, content = CONTENT): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? -1);
  if (start >= content.length) {
    response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
  } else if (start >= 0) {
    const headers = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
    response
      .writeHead(206, { ...headers, "content-length": content.length - start })
      .end(content.subarray(start));
  } else response.writeHead(200, { "content-length": content.length }).end(content);
}

/** Sends the first `bytes` of it, then breaks the connection. */
function breakAfter(response: ServerResponse, bytes: number, from = 0): void {
  const headers =
    from === 0 ? {} : { "content-range": `bytes ${from}-${CONTENT.length - 1}/${CONTENT.length}` };
  response.writeHead(from === 0 ? 200 : 206, { ...headers, "content-length": CONTENT.length - from });
  response.write(CONTENT.subarray(from, from + bytes), () => setTimeout(() => response.destroy(), 20));
}

async function target(): Promise<{ readonly directory: string; readonly path: string }> {
  const directory = await mkdtemp(join(root, "d-"));
  return { directory, path: join(directory, "file") };
}

async function failureOf(work: Promise<unknown>): Promise<NexError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof NexError, String(error));
  return error;
}

describe("download", () => {
  test("stores the file whole and tells how far it is (O1)", async () => {
    await using host = await startHost((request, response) => serve(request, response));
    const { directory, path } = await target();
    const progress: [number, number][] = [];
    const onProgress = (received: number, total: number): void => void progress.push([received, total]);
    await download({ url: host.url, path, sha256: SHA256.toUpperCase(), onProgress });
    assert.deepEqual(await readFile(path), CONTENT);
    assert.deepEqual(progress.at(-1), [CONTENT.length, CONTENT.length]);
    assert.deepEqual(await readdir(directory), ["file"]);
  });

  test("goes on where a broken connection stopped (O2)", async () => {
    await using host = await startHost((request, response, nth) => {
      if (nth === 1) breakAfter(response, 70_000);
      else serve(request, response);
    });
    const { path } = await target();
    await download({ url: host.url, path, sha256: SHA256 });
    assert.deepEqual(await readFile(path), CONTENT);
    assert.equal(host.ranges.length, 2);
    const resumedAt = Number(/^bytes=(\d+)-$/.exec(host.ranges[1] ?? "")?.[1]);
    assert.ok(resumedAt > 0 && resumedAt <= 70_000, host.ranges[1]);
  });

  test("goes on in a later call, and starts over where the host knows no ranges (O2)", async () => {
    for (const knowsRanges of [true, false]) {
      await using host = await startHost((request, response, nth) => {
        if (nth === 1) breakAfter(response, 50_000);
        else if (knowsRanges) serve(request, response);
        else response.writeHead(200, { "content-length": CONTENT.length }).end(CONTENT);
      });
      const { directory, path } = await target();
      const error = await failureOf(download({ url: host.url, path, sha256: SHA256, tries: 1 }));
      assert.equal(error.code, "DOWNLOAD_FAILED");
      assert.deepEqual(await readdir(directory), ["file.part"]);
      await download({ url: host.url, path, sha256: SHA256 });
      assert.deepEqual(await readFile(path), CONTENT);
      assert.match(host.ranges[1] ?? "", /^bytes=\d+-$/);
    }
  });

  test("takes a whole part whose rename was missed", async () => {
    await using host = await startHost((request, response) => serve(request, response));
    const { path } = await target();
    await writeFile(`${path}.part`, CONTENT);
    await download({ url: host.url, path, sha256: SHA256 });
    assert.deepEqual(await readFile(path), CONTENT);
  });

  test("starts over once when old bytes spoil the sum (O3)", async () => {
    await using host = await startHost((request, response) => serve(request, response));
    const { path } = await target();
    await writeFile(`${path}.part`, Buffer.alloc(1000, 1));
    await download({ url: host.url, path, sha256: SHA256 });
    assert.deepEqual(await readFile(path), CONTENT);
    assert.deepEqual(host.ranges, ["bytes=1000-", undefined]);
  });

  test("leaves nothing when the sum is wrong (O3)", async () => {
    await using host = await startHost((request, response) => serve(request, response));
    const { directory, path } = await target();
    const error = await failureOf(download({ url: host.url, path, sha256: "0".repeat(64) }));
    assert.equal(error.code, "DOWNLOAD_FAILED");
    assert.match(error.message, new RegExp(`its SHA-256 is ${SHA256}, expected 0{64}`));
    assert.deepEqual(await readdir(directory), []);
    assert.equal(host.ranges.length, 1);
  });

  test("does not ask again when the host refuses", async () => {
    await using host = await startHost((_, response) => response.writeHead(404).end("not here"));
    const { path } = await target();
    const error = await failureOf(download({ url: host.url, path, sha256: SHA256 }));
    assert.match(error.message, /the host answered 404 Not Found/);
    assert.equal(host.ranges.length, 1);
  });

  test("gives a host up that does not answer or sends nothing more (O4)", async () => {
    await using silent = await startHost(() => {});
    const { path } = await target();
    const error = await failureOf(
      download({ url: silent.url, path, sha256: SHA256, answerLimitMs: 100, tries: 2 }),
    );
    assert.match(error.message, /the host did not answer within 0\.1 s/);
    assert.equal(silent.ranges.length, 2);

    await using stalling = await startHost((_, response) => {
      response.writeHead(200, { "content-length": CONTENT.length });
      response.write(CONTENT.subarray(0, 1000));
    });
    const stalled = await failureOf(
      download({ url: stalling.url, path, sha256: SHA256, stallLimitMs: 100, tries: 1 }),
    );
    assert.match(stalled.message, /the host sent nothing for 0\.1 s/);
  });

  test("keeps what arrived when it is aborted (O2)", async () => {
    const aborted = new AbortController();
    await using host = await startHost((_, response) => {
      response.writeHead(200, { "content-length": CONTENT.length });
      response.write(CONTENT.subarray(0, 1000));
    });
    const { directory, path } = await target();
    const onProgress = (): void => aborted.abort();
    const { signal } = aborted;
    const error = await failureOf(download({ url: host.url, path, sha256: SHA256, signal, onProgress }));
    assert.equal(error.code, "ABORTED");
    assert.deepEqual(await readdir(directory), ["file.part"]);
  });

  test("names the reason when nobody listens", async () => {
    const { path } = await target();
    const error = await failureOf(download({ url: "http://127.0.0.1:1/x", path, sha256: SHA256, tries: 1 }));
    assert.match(error.message, /^Cannot download http:\/\/127\.0\.0\.1:1\/x: /);
  });
});
