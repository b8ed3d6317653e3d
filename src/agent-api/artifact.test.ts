import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import { agentSubjects } from "./agent-subjects.ts";
import { ARTIFACT_CHUNK_BYTES, ARTIFACT_SIZE_HEADER, fetchArtifact, serveArtifact } from "./artifact.ts";
import { createIpcLink } from "./ipc-link.ts";
import type { Link } from "./link.ts";

function makePair(): { node: Link; agent: Link } & AsyncDisposable {
  const [nodeEnd, agentEnd] = duplexPair();
  const [node, agent] = [createIpcLink(nodeEnd), createIpcLink(agentEnd)];
  return {
    node,
    agent,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([node.close(), agent.close()]);
    },
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test("fetchArtifact gets the artifact in chunks, whatever its size", async () => {
  for (const size of [1, ARTIFACT_CHUNK_BYTES - 1, ARTIFACT_CHUNK_BYTES, 2 * ARTIFACT_CHUNK_BYTES + 17]) {
    await using pair = makePair();
    const artifact = new Uint8Array(randomBytes(size));
    using _ = serveArtifact(pair.node, "id1", artifact);
    const hash = sha256(artifact).toUpperCase();
    assert.deepEqual(await fetchArtifact(pair.agent, "id1", { totalBytes: size, hash }), artifact);
  }
});

test("fetchArtifact refuses another size or hash, and fails when nobody serves the artifact", async () => {
  await using pair = makePair();
  const artifact = new Uint8Array(1000);
  const hash = sha256(artifact);
  const served = serveArtifact(pair.node, "id1", artifact);
  const wrong = [
    { totalBytes: 999, hash },
    { totalBytes: 1001, hash },
    { totalBytes: 1000, hash: "00".repeat(32) },
  ];
  for (const expected of wrong) {
    await assert.rejects(fetchArtifact(pair.agent, "id1", expected), { code: "ARTIFACT_CORRUPT" });
  }
  served[Symbol.dispose]();
  const gone = fetchArtifact(pair.agent, "id1", { totalBytes: 1000, hash });
  await assert.rejects(gone, { code: "LINK_NO_RESPONDERS" });
});

test("fetchArtifact ends when the node answers too much, nothing, or an error", async () => {
  const size = { [ARTIFACT_SIZE_HEADER]: "1000" };
  for (const reply of [
    { headers: size, body: new Uint8Array(1001) },
    { headers: size },
    {},
    { headers: { "x-nex-error": "no" } },
  ]) {
    await using pair = makePair();
    pair.node.handle(agentSubjects.artifact("id1"), () => reply);
    const fetched = fetchArtifact(pair.agent, "id1", { totalBytes: 1000, hash: "" });
    await assert.rejects(fetched, { code: "ARTIFACT_CORRUPT" });
  }
});

test("fetchArtifact stops at once when it is aborted", async () => {
  await using pair = makePair();
  const controller = new AbortController();
  pair.node.handle(agentSubjects.artifact("id1"), () => {
    controller.abort();
    return new Promise<undefined>(() => {});
  });
  const expected = { totalBytes: 10, hash: "", signal: controller.signal };
  await assert.rejects(fetchArtifact(pair.agent, "id1", expected), { code: "ABORTED" });
  await assert.rejects(fetchArtifact(pair.agent, "id1", expected), { code: "ABORTED" });
});

test("serveArtifact answers a malformed request with an error", async () => {
  await using pair = makePair();
  using _ = serveArtifact(pair.node, "id1", new Uint8Array(10));
  for (const body of ["", "{}", '{"offset":-1}', '{"offset":1.5}', "null"]) {
    const request = pair.agent.request(agentSubjects.artifact("id1"), Buffer.from(body), {
      timeoutMs: 60_000,
    });
    assert.ok((await request).headers["x-nex-error"]?.startsWith("Cannot read an artifact request"));
  }
});
