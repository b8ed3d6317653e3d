// The installing half of preflight, with a real HTTP server on loopback and a stand-in for apt-get.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { NexError } from "../../src/lib/errors.ts";
import { debianSource } from "../../src/preflight/debian-source.ts";
import { downloadSource } from "../../src/preflight/download-source.ts";
import { examine } from "../../src/preflight/examine.ts";
import { install } from "../../src/preflight/install.ts";
import type { Requirement, Source } from "../../src/preflight/requirement.ts";

const PATH = process.env["PATH"] ?? "";
const PLUGIN = Buffer.from("#!/bin/sh\necho a plugin\n");
let root = "";
let archive = Buffer.alloc(0);
before(async () => {
  root = await mkdtemp(join(tmpdir(), "nex-test-preflight-"));
  const packed = await mkdtemp(join(root, "pack-"));
  await writeFile(join(packed, "ptp"), PLUGIN);
  await promisify(execFile)("tar", ["-czf", join(root, "plugins.tgz"), "-C", packed, "./ptp"]);
  archive = await readFile(join(root, "plugins.tgz"));
});
after(async () => rm(root, { recursive: true, force: true }));

function sum(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Serves files by path; a missing one is 404. */
async function startMirror(files: Readonly<Record<string, Uint8Array | string>>) {
  const asked: string[] = [];
  const server = createServer(({ url = "" }, response) => {
    asked.push(url);
    const file = files[url];
    if (file === undefined) response.writeHead(404).end();
    else response.end(file);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function requirement(sources: readonly Source[], isProgram = true): Promise<Requirement> {
  const directory = await mkdtemp(join(root, "host-"));
  return {
    name: "ptp",
    description: "ptp CNI plugin",
    fileNames: ["ptp"],
    directories: [join(directory, "first"), join(directory, "second")],
    isProgram,
    sources,
    instruction: "Put it there by hand",
    missingText: "binary not found: ptp",
  };
}

async function installIt(wanted: Requirement, path = PATH) {
  const said: string[] = [];
  const cacheDirectory = await mkdtemp(join(root, "cache-"));
  const { location } = await install(wanted, {
    cacheDirectory,
    environment: { PATH: path },
    report: (message) => void said.push(message),
    signal: undefined,
    force: false,
  });
  return { location, said, cacheDirectory };
}

async function failureOf(wanted: Requirement, path = PATH): Promise<NexError> {
  const error: unknown = await installIt(wanted, path).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof NexError, String(error));
  assert.equal(error.code, "PREFLIGHT_FAILED");
  assert.equal(error.hint, "Put it there by hand");
  const [first = ""] = wanted.directories;
  assert.deepEqual(await readdir(first).catch(() => []), [], "something is half-installed");
  return error;
}

describe("install from a mirror", () => {
  test("puts a member of an archive into the first directory, executable, with nothing left in the cache", async () => {
    await using mirror = await startMirror({ "/p.tgz": archive });
    const wanted = await requirement([
      downloadSource({ url: `${mirror.url}/p.tgz`, sha256: sum(archive), member: "./ptp" }),
    ]);
    assert.equal((await examine(wanted)).kind, "missing");
    const { location, said, cacheDirectory } = await installIt(wanted);
    assert.equal(location, join(wanted.directories[0] ?? "", "ptp"));
    assert.deepEqual(await readFile(location), PLUGIN);
    assert.equal((await stat(location)).mode & 0o777, 0o755);
    assert.deepEqual(await readdir(cacheDirectory), []);
    assert.match(said[0] ?? "", /^Downloading http:/);
  });

  test("unpacks gzip, and takes the published sum where none is configured", async () => {
    const packed = gzipSync(PLUGIN);
    await using mirror = await startMirror({
      "/ptp.gz": packed,
      "/ptp.gz.sha256": `${sum(packed)}  ptp.gz\n`,
    });
    const { location } = await installIt(
      await requirement([downloadSource({ url: `${mirror.url}/ptp.gz` })]),
    );
    assert.deepEqual(await readFile(location), PLUGIN);
  });

  test("goes to the next source when one fails, and names all of them when none works", async () => {
    const cut = archive.subarray(0, archive.length / 2);
    await using mirror = await startMirror({
      "/wrong": PLUGIN,
      "/cut.tgz": cut,
      "/empty.tgz": archive,
      "/good": PLUGIN,
      "/nosum": PLUGIN,
      "/nosum.sha256": "<html>",
    });
    const bad = [
      downloadSource({ url: `${mirror.url}/absent`, sha256: sum(PLUGIN) }),
      downloadSource({ url: `${mirror.url}/wrong`, sha256: "0".repeat(64) }),
      downloadSource({ url: `${mirror.url}/cut.tgz`, sha256: sum(cut), member: "./ptp" }),
      downloadSource({ url: `${mirror.url}/empty.tgz`, sha256: sum(archive), member: "./other" }),
      downloadSource({ url: `${mirror.url}/nosum` }),
    ];
    const error = await failureOf(await requirement(bad));
    for (const reason of [
      /Cannot install ptp CNI plugin/,
      /\/absent: .*the host answered 404/,
      /\/wrong: .*expected 0{64}/,
      /\/cut\.tgz: /,
      /\/empty\.tgz: .*[Nn]ot found in archive/,
      /\/nosum: .*it holds no SHA-256/,
    ]) {
      assert.match(error.message, reason);
    }
    const good = downloadSource({ url: `${mirror.url}/good`, sha256: sum(PLUGIN) });
    const { location } = await installIt(await requirement([...bad, good]));
    assert.deepEqual(await readFile(location), PLUGIN);
  });

  test("an interruption ends it as such, not as a failure of the source", async () => {
    const interrupted = new AbortController();
    await using mirror = await startMirror({ "/ptp": PLUGIN });
    const wanted = await requirement([downloadSource({ url: `${mirror.url}/ptp`, sha256: sum(PLUGIN) })]);
    interrupted.abort(new Error("Ctrl-C"));
    await assert.rejects(
      install(wanted, {
        cacheDirectory: await mkdtemp(join(root, "cache-")),
        environment: { PATH },
        report: () => {},
        signal: interrupted.signal,
        force: false,
      }),
      { code: "ABORTED" },
    );
  });
});

describe(
  "install from Debian",
  { skip: process.getuid?.() === 0 ? false : "only root may install packages" },
  () => {
    /** A stand-in for apt-get that installs into `directory`, once its lists are updated. */
    async function apt(directory: string): Promise<string> {
      const bin = await mkdtemp(join(root, "bin-"));
      const lists = join(bin, "lists");
      await writeFile(
        join(bin, "apt-get"),
        `#!/bin/sh
echo "$@" >> ${bin}/calls
case "$*" in
  update) touch ${lists} ;;
  install*) [ -e ${lists} ] || { echo "E: Unable to locate package" >&2; exit 100; }
    printf '#!/bin/sh\\n' > ${directory}/ptp && chmod 755 ${directory}/ptp ;;
esac
`,
      );
      await chmod(join(bin, "apt-get"), 0o755);
      return bin;
    }

    test("updates the lists when the package is not found, and finds the file where the package puts it", async () => {
      const wanted = await requirement([debianSource("containernetworking-plugins")]);
      const second = wanted.directories[1] ?? "";
      await mkdir(second, { recursive: true });
      const bin = await apt(second);
      const { location } = await installIt(wanted, `${bin}:${PATH}`);
      assert.equal(location, join(second, "ptp"));
      const install = "install --yes --no-install-recommends containernetworking-plugins";
      assert.deepEqual((await readFile(join(bin, "calls"), "utf8")).trim().split("\n"), [
        install,
        "update",
        install,
      ]);
    });

    test("says so when there is no apt-get, and when the package does not bring the file", async () => {
      const wanted = await requirement([debianSource("x")]);
      assert.match((await failureOf(wanted, "/nowhere")).message, /there is no apt-get here/);
      const elsewhere = await mkdtemp(join(root, "elsewhere-"));
      const error = await failureOf(wanted, `${await apt(elsewhere)}:${PATH}`);
      assert.match(error.message, /Debian's package x: it did not bring ptp/);
    });
  },
);
