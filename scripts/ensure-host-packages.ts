// Gets the Debian packages that the tests of virtual machines and of confinement need, where this account may install
// them. Without them those tests are skipped with their reason.
import { existsSync } from "node:fs";
import { errorText } from "../src/lib/errors.ts";
import { findProgram } from "../src/lib/find-program.ts";
import { installDebianPackages } from "../src/preflight/debian-packages.ts";

const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
/** Package, and a file of it: a program of the search path, or a path. */
const PACKAGES = [
  ["iproute2", "ip"],
  ["iptables", "iptables"],
  ["e2fsprogs", "debugfs"],
  ["busybox-static", "busybox"],
  ["bubblewrap", "bwrap"],
  ["containernetworking-plugins", "/usr/lib/cni/ptp"],
  ...(process.arch === "x64" ? [["qemu-system-x86", "qemu-system-x86_64"] as const] : []),
] as const;

const missing: string[] = [];
for (const [name, file] of PACKAGES) {
  const isThere = file.startsWith("/")
    ? existsSync(file)
    : (await findProgram(file, { path: PATH })) !== undefined;
  if (!isThere) missing.push(name);
}
if (missing.length > 0) {
  const given = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const environment = { ...Object.fromEntries(given), PATH };
  const report = (message: string): void => console.log(message);
  try {
    await installDebianPackages(missing, { environment, report, signal: undefined, force: false });
  } catch (error) {
    console.log(`Cannot install Debian's packages ${missing.join(", ")}: ${errorText(error)}`);
    console.log("Tests that need them are skipped and say why");
  }
}
