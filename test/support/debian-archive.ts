/** A Debian archive of one test: packages of several suites on loopback, signed by a key of its own. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { findProgram } from "../../src/lib/find-program.ts";
import { startHttpPeer } from "./start-http-peer.ts";

const execute = promisify(execFile);
const PATH = process.env["PATH"] ?? "";
const MAIN = "main/binary-amd64/Packages";

export interface TestPackage {
  readonly name: string;
  readonly version: string;
  readonly depends?: string;
  readonly files?: Readonly<Record<string, Uint8Array | string>>;
}

export interface DebianArchive extends AsyncDisposable {
  /** For programs of apt: their system has this archive as its mirror. */
  readonly environment: Readonly<Record<string, string>>;
  readonly keyring: string;
  /** What is served, by path: `debian/dists/…`, `debian-security/pool/…`. Tests may change it. */
  readonly files: Map<string, Buffer>;
}

/** Why no archive can be made here, or false. */
export async function noDebianArchive(): Promise<string | false> {
  if (process.arch !== "x64") return "its packages are for amd64";
  for (const name of ["apt-get", "dpkg-deb", "gpg", "gpgv"]) {
    if ((await findProgram(name, { path: PATH })) === undefined) return `there is no ${name}`;
  }
  return false;
}

/** `suites`: packages by suite; those of `…-security` are in an archive of their own. */
export async function startDebianArchive(
  directory: string,
  suites: Readonly<Record<string, readonly TestPackage[]>>,
): Promise<DebianArchive> {
  const files = new Map<string, Buffer>();
  const home = join(directory, "gnupg");
  const keyring = join(directory, "keyring.gpg");
  await mkdir(home, { recursive: true, mode: 0o700 });
  const gpg = async (...argv: readonly string[]): Promise<void> => {
    await execute("gpg", ["--homedir", home, "--batch", "--quiet", ...argv]);
  };
  try {
    await gpg("--passphrase", "", "--quick-generate-key", "nex-test", "ed25519", "sign", "never");
    await gpg("--output", keyring, "--export");
    for (const [suite, packages] of Object.entries(suites)) {
      const archive = suite.endsWith("-security") ? "debian-security" : "debian";
      const index = await addPackages(directory, files, { archive, suite, packages });
      files.set(`${archive}/dists/${suite}/${MAIN}`, index);
      const release = join(directory, `${suite}.release`);
      await writeFile(release, releaseText(suite, index));
      await gpg("--output", `${release}.signed`, "--clearsign", release);
      files.set(`${archive}/dists/${suite}/InRelease`, await readFile(`${release}.signed`));
    }
  } finally {
    await execute("gpgconf", ["--homedir", home, "--kill", "gpg-agent"]);
  }
  const server = await startHttpPeer({
    answer: ({ url }, response) => {
      const file = files.get(decodeURIComponent(url.slice(1)));
      if (file === undefined) response.writeHead(404).end();
      else response.writeHead(200, { "content-length": file.length }).end(file);
    },
  });
  const configuration = join(directory, "system.conf");
  const list = join(directory, "system.list");
  const lines = [`debian bookworm`, `debian-security bookworm-security`];
  await writeFile(
    list,
    lines.map((line) => `deb ${server.origin}/${line.replace(" ", "/ ")} main\n`).join(""),
  );
  await writeFile(
    configuration,
    `Dir::Etc::SourceList "${list}";\nDir::Etc::SourceParts "/dev/null";\nAcquire::http::Proxy "DIRECT";\n`,
  );
  return {
    environment: { PATH, APT_CONFIG: configuration },
    keyring,
    files,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Returns the text of the index. */
async function addPackages(
  directory: string,
  files: Map<string, Buffer>,
  { archive, suite, packages }: { archive: string; suite: string; packages: readonly TestPackage[] },
): Promise<Buffer> {
  const entries: string[] = [];
  for (const described of packages) {
    const { name, version, depends, files: content = {} } = described;
    const tree = join(directory, suite, `${name}_${version}`);
    const control =
      `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\nMaintainer: nex\nDescription: test\n` +
      (depends === undefined ? "" : `Depends: ${depends}\n`);
    for (const [path, bytes] of Object.entries({ ...content, "DEBIAN/control": control })) {
      await mkdir(dirname(join(tree, path)), { recursive: true });
      await writeFile(join(tree, path), bytes);
    }
    await execute("dpkg-deb", ["--root-owner-group", "--build", tree, `${tree}.deb`]);
    const file = await readFile(`${tree}.deb`);
    const path = `pool/${name}_${version}_amd64.deb`;
    files.set(`${archive}/${path}`, file);
    entries.push(`${control}Filename: ${path}\nSize: ${file.length}\nSHA256: ${sha256(file)}\n`);
  }
  return Buffer.from(entries.join("\n"));
}

function releaseText(suite: string, index: Buffer): string {
  return `Origin: Nex
Suite: ${suite}
Codename: ${suite}
Date: ${new Date().toUTCString()}
Architectures: amd64
Components: main
SHA256:
 ${sha256(index)} ${index.length} ${MAIN}
`;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
