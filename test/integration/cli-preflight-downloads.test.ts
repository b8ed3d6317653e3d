// What `nex node preflight` makes of downloads that break off or bring something else.
import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { describe, test } from "node:test";
import { makePreflightHost, MIRRORED, whatPreflightMisses } from "../support/preflight-host.ts";
import { until } from "../support/until.ts";

const skip = await whatPreflightMisses();

describe("nex node preflight, downloading", { skip, concurrency: 2 }, () => {
  test("installs nothing that is truncated or has a wrong sum, and says what to do", async () => {
    await using host = await makePreflightHost({
      answers: {
        "/vmlinux": (_, response) => {
          response.writeHead(200, { "content-length": MIRRORED.kernel.length });
          response.write(MIRRORED.kernel.subarray(0, 3), () => response.destroy());
        },
      },
    });
    const truncated = await host.preflight(["--yes"]);
    assert.equal(truncated.code, 1);
    assert.match(truncated.stderr, /Cannot install VMLinux Kernel\n {2}http.*\/vmlinux: Cannot download/);
    assert.match(
      truncated.stderr,
      /^hint: Put a kernel at .*vmlinux \(docs\/kernel\.md\), or name a mirror/m,
    );
    assert.deepEqual(await readdir(host.path("resources")), ["preflight.json"]);

    await using other = await makePreflightHost({
      answers: { "/vmlinux": (_, response) => response.end("another kernel") },
    });
    const wrong = await other.preflight(["--yes"]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /its SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}/);
    assert.deepEqual(await readdir(other.path("resources")), ["preflight.json"]);
    assert.deepEqual(await readdir(other.path("home", ".cache", "nex", "downloads")), []);
  });

  test("an interrupted download leaves nothing half-installed and is gone on with the next time", async () => {
    let isSlow = true;
    await using host = await makePreflightHost({
      answers: {
        "/vmlinux": ({ headers }, response) => {
          const { length } = MIRRORED.kernel;
          const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
          const range = { "content-range": `bytes ${start}-${length - 1}/${length}` };
          response.writeHead(start > 0 ? 206 : 200, {
            "content-length": length - start,
            ...(start > 0 ? range : {}),
          });
          if (isSlow) response.write(MIRRORED.kernel.subarray(0, 5));
          else response.end(MIRRORED.kernel.subarray(start));
        },
      },
    });
    {
      await using nex = await host.start(["--yes"]);
      const parts = host.path("home", ".cache", "nex", "downloads");
      await nex.waitForLine(/Downloading .*\/vmlinux$/);
      await untilSize(parts, 5);
      nex.signal("SIGINT");
      const { code, stderr } = await nex.exit;
      assert.equal(code, 1);
      assert.match(stderr, /^nex: error: Preflight interrupted$/m);
      assert.deepEqual(await readdir(host.path("resources")), ["preflight.json"]);
    }
    isSlow = false;
    const { code, stderr } = await host.preflight(["--yes"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await readFile(host.path("resources", "vmlinux")), MIRRORED.kernel);
    const ranges = host.mirror.requests
      .filter(({ url }) => url === "/vmlinux")
      .map(({ headers }) => headers.range);
    assert.deepEqual(ranges, [undefined, "bytes=5-"]);
  });
});

/** Waits until something that long was downloaded. */
async function untilSize(directory: string, size: number): Promise<void> {
  await until(async () => {
    for (const name of await readdir(directory).catch(() => [])) {
      if (name.endsWith("vmlinux.part") && (await stat(`${directory}/${name}`)).size >= size) return true;
    }
    return false;
  });
}
