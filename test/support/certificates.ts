import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Paths of a certificate and its key, in PEM. */
export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** An authority of one test; dispose removes its files. */
export interface TestAuthority extends AsyncDisposable {
  readonly directory: string;
  readonly caFile: string;
  /** Issues a certificate for subject alternative names such as `IP:127.0.0.1` and `DNS:localhost`. */
  issue(name: string, alternativeNames: readonly string[]): Promise<TestCertificate>;
}

/** Makes a certificate authority with openssl. */
export async function makeAuthority(): Promise<TestAuthority> {
  const directory = await mkdtemp(join(tmpdir(), "nex-test-ca-"));
  const path = (name: string): string => join(directory, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const ca = [
    "-subj",
    "/CN=Nex test authority",
    "-days",
    "1",
    "-keyout",
    path("ca.key"),
    "-out",
    path("ca.pem"),
  ];
  await run("openssl", ["req", "-x509", ...newKey, ...ca]);
  return {
    directory,
    caFile: path("ca.pem"),
    async issue(name, alternativeNames) {
      const [certFile, keyFile, request, extensions] = ["pem", "key", "csr", "ext"].map((end) =>
        path(`${name}.${end}`),
      );
      if (!certFile || !keyFile || !request || !extensions) throw new Error("Certificate paths are missing");
      await run("openssl", ["req", ...newKey, "-subj", `/CN=${name}`, "-keyout", keyFile, "-out", request]);
      await writeFile(extensions, `subjectAltName=${alternativeNames.join(",")}\n`);
      const authority = ["-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "1"];
      await run("openssl", [
        "x509",
        "-req",
        "-in",
        request,
        ...authority,
        "-extfile",
        extensions,
        "-out",
        certFile,
      ]);
      return { certFile, keyFile };
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Why certificates cannot be made here, or false. */
export async function noOpenssl(): Promise<string | false> {
  return run("openssl", ["version"]).then(
    () => false,
    () => "openssl is not installed",
  );
}
