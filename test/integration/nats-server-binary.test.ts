import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { NexError } from "../../src/lib/errors.ts";
import { findNatsServer, NATS_SERVER_SOURCES } from "../../src/nats/server-binary.ts";
import type { NatsServerBinary, NatsServerSearch } from "../../src/nats/server-binary.ts";
import { PINNED_RELEASE, releasePlatform } from "../../src/nats/server-release.ts";
import type { ServerRelease } from "../../src/nats/server-source.ts";
import { testNatsServer } from "../support/start-nats.ts";
import { until } from "../support/until.ts";

const run = promisify(execFile);
const PATH = process.env["PATH"] ?? "";
const VERSION = "9.8.7";
let root = "";
before(async () => {
  root = await mkdtemp(join(tmpdir(), "nex-test-binary-"));
});
after(async () => {
  await rm(root, { recursive: true, force: true });
});

/** A new directory with the files of `content`, all executable. */
async function folder(content: Readonly<Record<string, string>> = {}): Promise<string> {
  const path = await mkdtemp(join(root, "d-"));
  for (const [name, text] of Object.entries(content)) {
    await mkdir(join(path, name, ".."), { recursive: true });
    await writeFile(join(path, name), text, { mode: 0o755 });
  }
  return path;
}

/** A program that says that it is nats-server of that version. */
function standIn(version: string): string {
  return `#!/bin/sh\necho "nats-server: v${version}"\n`;
}

async function search(options: Partial<NatsServerSearch>): Promise<NatsServerBinary> {
  return findNatsServer({ searchPath: [], cacheDir: await folder(), environment: { PATH }, ...options });
}

async function failure(options: Partial<NatsServerSearch>): Promise<NexError> {
  const error: unknown = await search(options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof NexError, String(error));
  return error;
}

describe("findNatsServer without network", () => {
  const sources = ["setting", "path", "cache"] as const;

  it("takes the setting before everything else", async () => {
    const [set, onPath] = await Promise.all([
      folder({ mine: standIn("2.10.1") }),
      folder({ "nats-server": standIn("2.12.0") }),
    ]);
    const found = await search({ setting: join(set, "mine"), searchPath: [onPath] });
    assert.deepEqual(found, { path: join(set, "mine"), version: "2.10.1", source: "setting" });
  });

  it("never skips a setting that does not work", async () => {
    const searchPath = [await folder({ "nats-server": standIn("2.12.0") })];
    const table = [
      ["missing", /there is no such file/],
      [await folder(), /it is not a file/],
      [join(await folder({ other: "#!/bin/sh\necho hello\n" }), "other"), /it is not a nats-server/],
      [join(await folder({ old: standIn("2.8.4") }), "old"), /version 2\.8\.4 is older than 2\.9\.0/],
      [join(await folder({ broken: "#!/no/such/interpreter\n" }), "broken"), /it does not run/],
    ] as const;
    for (const [setting, reason] of table) {
      const error = await failure({ setting, searchPath });
      assert.equal(error.code, "NATS_SERVER_UNUSABLE");
      assert.match(error.message, reason);
    }
  });

  it("passes over what does not work on the PATH", async () => {
    const [notExecutable, old, good, later] = await Promise.all([
      folder({ "nats-server": standIn("2.12.0") }),
      folder({ "nats-server": standIn("2.8.0") }),
      folder({ "nats-server": standIn("2.11.0") }),
      folder({ "nats-server": standIn("2.12.0") }),
    ]);
    await chmod(join(notExecutable, "nats-server"), 0o644);
    const searchPath = ["", "relative", "/no/such/folder", notExecutable, old, good, later];
    const found = await search({ searchPath, sources });
    assert.deepEqual(found, { path: join(good, "nats-server"), version: "2.11.0", source: "path" });
  });

  it("takes the newest of the cache that runs", async () => {
    const cacheDir = await folder({
      "2.9.0/nats-server": standIn("2.9.0"),
      "2.10.0/nats-server": standIn("2.10.0"),
      "2.12.0/nats-server": "not a program",
      "junk/nats-server": standIn("9.9.9"),
    });
    await mkdir(join(cacheDir, "2.13.0"));
    const found = await search({ cacheDir, sources });
    assert.deepEqual(found, {
      path: join(cacheDir, "2.10.0", "nats-server"),
      version: "2.10.0",
      source: "cache",
    });
  });

  it("names every source with its reason when there is none", async () => {
    const error = await failure({
      searchPath: ["/no/such/folder"],
      environment: { PATH: "/no/such/folder" },
      release: { ...PINNED_RELEASE, baseUrl: "http://127.0.0.1:1" },
    });
    assert.equal(error.code, "NATS_SERVER_NOT_FOUND");
    const named = error.message
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(":")[0]);
    assert.deepEqual(named, [...NATS_SERVER_SOURCES]);
    assert.match(error.hint ?? "", /Install nats-server/);
  });

  it("stops when it is aborted", async () => {
    assert.equal((await failure({ signal: AbortSignal.abort() })).code, "ABORTED");
  });
});

describe("findNatsServer from a release", () => {
  let archive: Buffer;
  let good: ServerRelease;
  const name = `nats-server-v${VERSION}-${releasePlatform()}`;
  before(async () => {
    const directory = await folder({
      [`${name}/nats-server`]: standIn(VERSION),
      [`${name}/README.md`]: "read me",
    });
    await run("tar", ["-czf", join(directory, "archive.tar.gz"), "-C", directory, name]);
    archive = await readFile(join(directory, "archive.tar.gz"));
    const sha256 = createHash("sha256").update(archive).digest("hex");
    good = { version: VERSION, baseUrl: "", sha256: { [releasePlatform()]: sha256 } };
  });

  async function serve(t: TestContext, listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/download`;
  }

  /** Searches with the release source alone; its failure must leave the cache empty. */
  async function refused(release: ServerRelease, signal?: AbortSignal): Promise<string> {
    const cacheDir = await folder();
    const error = await failure({ cacheDir, release, sources: ["release"], signal });
    assert.deepEqual(await readdir(cacheDir), []);
    return error.message;
  }

  it("downloads, checks and keeps it; the next search finds it in the cache", async (t) => {
    const paths: (string | undefined)[] = [];
    const baseUrl = await serve(t, (request, response) => {
      paths.push(request.url);
      response.setHeader("content-length", archive.byteLength).end(archive);
    });
    const cacheDir = await folder();
    const progress: (number | undefined)[] = [];
    const release = { ...good, baseUrl };
    const found = await search({
      cacheDir,
      release,
      sources: ["cache", "release"],
      onProgress: ({ percent }) => progress.push(percent),
    });
    assert.deepEqual(found, {
      path: join(cacheDir, VERSION, "nats-server"),
      version: VERSION,
      source: "release",
    });
    assert.deepEqual(paths, [`/download/v${VERSION}/${name}.tar.gz`]);
    assert.equal(progress.at(-1), 100);
    assert.deepEqual(await readdir(cacheDir), [VERSION]);
    const again = await search({ cacheDir, release, sources: ["cache", "release"] });
    assert.equal(again.source, "cache");
    assert.equal(paths.length, 1);
  });

  it("lets searches run side by side", async (t) => {
    const baseUrl = await serve(t, (_request, response) => response.end(archive));
    const cacheDir = await folder();
    const searches = [1, 2, 3].map(() =>
      search({ cacheDir, release: { ...good, baseUrl }, sources: ["release"] }),
    );
    for (const { path } of await Promise.all(searches))
      assert.equal(path, join(cacheDir, VERSION, "nats-server"));
    assert.deepEqual(await readdir(cacheDir), [VERSION]);
  });

  it("refuses an archive with another sum", async (t) => {
    const baseUrl = await serve(t, (_request, response) =>
      response.end(Buffer.concat([archive, Buffer.from([0])])),
    );
    assert.match(await refused({ ...good, baseUrl }), /its SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}/);
  });

  it("refuses an archive that is cut off", async (t) => {
    const baseUrl = await serve(t, (_request, response) => {
      response.setHeader("content-length", archive.byteLength);
      response.write(archive.subarray(0, archive.byteLength / 2), () => response.destroy());
    });
    assert.match(
      await refused({ ...good, baseUrl }),
      /release: Cannot download http:\/\/127\.0\.0\.1:\d+\/download/,
    );
  });

  it("reports an answer that is not the archive", async (t) => {
    const baseUrl = await serve(t, (_request, response) => response.writeHead(404).end("no such thing"));
    assert.match(await refused({ ...good, baseUrl }), /answered 404 Not Found/);
  });

  it("gives up on a host that does not answer, and on one that nobody is", async (t) => {
    const baseUrl = await serve(t, () => {});
    assert.match(await refused({ ...good, baseUrl, answerLimitMs: 50 }), /did not answer within 0\.05 s/);
    assert.match(await refused({ ...good, baseUrl: "http://127.0.0.1:1" }), /127\.0\.0\.1:1/);
    assert.match(await refused({ ...good, baseUrl: "http://no-such-host.invalid" }), /no-such-host\.invalid/);
  });

  it("gives up when it is aborted", async (t) => {
    const abort = new AbortController();
    const baseUrl = await serve(t, () => abort.abort());
    assert.match(await refused({ ...good, baseUrl }, abort.signal), /abort/i);
  });

  it("refuses a binary that does not run", async (t) => {
    const directory = await folder({ [`${name}/nats-server`]: "not a program" });
    await run("tar", ["-czf", join(directory, "a.tar.gz"), "-C", directory, name]);
    const bytes = await readFile(join(directory, "a.tar.gz"));
    const sha256 = { [releasePlatform()]: createHash("sha256").update(bytes).digest("hex") };
    const baseUrl = await serve(t, (_request, response) => response.end(bytes));
    assert.match(await refused({ ...good, baseUrl, sha256 }), /it does not run/);
  });

  it("has nothing for a platform without a known sum", async () => {
    assert.match(await refused({ ...good, sha256: {} }), /no release with a known SHA-256/);
  });

  it("removes what a killed search left", async (t) => {
    const baseUrl = await serve(t, (_request, response) => response.end(archive));
    const cacheDir = await folder();
    const script = `
      const { makeTemporaryDirectory } = await import(process.argv[1]);
      await makeTemporaryDirectory({ parent: process.argv[2], prefix: ".install" });
      process.kill(process.pid, "SIGKILL");`;
    const module = join(import.meta.dirname, "..", "..", "src", "lib", "temporary-directory.ts");
    await assert.rejects(run(process.execPath, ["--input-type=module", "-e", script, module, cacheDir]));
    assert.equal((await readdir(cacheDir)).length, 1);
    await search({ cacheDir, release: { ...good, baseUrl }, sources: ["release"] });
    assert.deepEqual(await readdir(cacheDir), [VERSION]);
  });
});

describe("findNatsServer with Go", () => {
  it("builds the pinned version into the cache, whatever target the environment names", async () => {
    const real = await testNatsServer();
    const go = `#!/bin/sh
[ "$1" = version ] && exit 0
[ "$CGO_ENABLED-$GOOS-$GOARCH-$GOFLAGS" = 0--- ] || { echo "bad environment" >&2; exit 2; }
[ "$*" = "install -trimpath github.com/nats-io/nats-server/v2@v${PINNED_RELEASE.version}" ] || { echo "bad arguments $*" >&2; exit 2; }
cp ${real} "$GOBIN/nats-server"
`;
    const cacheDir = await folder();
    const environment = {
      PATH: `${await folder({ go })}${delimiter}${PATH}`,
      GOOS: "plan9",
      GOARCH: "mips",
      GOFLAGS: "-mod=vendor",
    };
    const found = await search({ cacheDir, environment, sources: ["go"] });
    assert.equal(found.source, "go");
    assert.equal(found.path, join(cacheDir, found.version, "nats-server"));
    assert.deepEqual(await readdir(cacheDir), [found.version]);
  });

  it("quotes a build that fails", async () => {
    const go = '#!/bin/sh\n[ "$1" = version ] && exit 0\necho "proxy is unreachable" >&2\nexit 1\n';
    const environment = { PATH: `${await folder({ go })}${delimiter}${PATH}` };
    const error = await failure({ environment, sources: ["go"] });
    assert.match(error.message, /go: "go" ended with exit code 1: proxy is unreachable/);
  });

  it("is stopped by an abort", async () => {
    const started = join(await folder(), "started");
    const go = `#!/bin/sh\n[ "$1" = version ] && exit 0\ntouch ${started}\nexec sleep 60\n`;
    const environment = { PATH: `${await folder({ go })}${delimiter}${PATH}` };
    const abort = new AbortController();
    const failing = failure({ environment, sources: ["go"], signal: abort.signal });
    await until(() => readFile(started).then(() => true));
    abort.abort();
    assert.equal((await failing).code, "ABORTED");
  });
});

describe("findNatsServer from Debian", () => {
  const skip = !process.env["NEX_TEST_NETWORK"] && "needs a Debian mirror: set NEX_TEST_NETWORK=1";

  it("unpacks the package without touching the system", { skip }, async () => {
    const cacheDir = await folder();
    const found = await search({ cacheDir, environment: process.env, sources: ["debian"] });
    assert.equal(found.source, "debian");
    assert.deepEqual(await readdir(cacheDir), [found.version]);
  });

  it("says what is missing on other systems", async () => {
    const error = await failure({ environment: { PATH: await folder() }, sources: ["debian"] });
    assert.match(error.message, /debian: .*dpkg-deb/);
  });
});
