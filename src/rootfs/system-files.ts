/** What every image needs besides the agent (protocol section 13), on the built-in base or on another. */
import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import type { ImageTree } from "./image-tree.ts";
import { HOME, INIT_APPLETS, INIT_SCRIPT } from "./init-script.ts";
import { putFile } from "./agent-files.ts";
import type { PutText } from "./text-files.ts";
import { pathExists } from "../lib/path-exists.ts";

/** Where Debian and its kin, and Fedora and its kin, keep the certificates that a host trusts. */
const HOST_CERTIFICATES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";
const NEX_ID = 1000;

interface SystemFiles {
  readonly tree: ImageTree;
  readonly putText: PutText;
  /** A statically linked busybox. */
  readonly busybox: string;
}

/** A base of busybox, certificates and the accounts `root` and `nex`. `applets`: what `busybox --list` prints. */
export async function putBase(files: SystemFiles & { readonly applets: string }): Promise<void> {
  const { tree, putText, applets } = files;
  for (const applet of applets.split("\n").filter((name) => name !== "")) {
    tree.put(`/bin/${applet}`, { kind: "link", target: `${HOME}/busybox` });
  }
  for (const path of ["/sbin", "/usr/bin", "/usr/sbin", "/lib", "/var/tmp", "/var/log"]) {
    tree.put(path, { kind: "directory", ...(path === "/var/tmp" ? { mode: 0o1777 } : {}) });
  }
  tree.put("/root", { kind: "directory", mode: 0o700 });
  await putText("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  await putText("/etc/group", "root:x:0:\n");
  await putText("/etc/shadow", "root:*:::::::\n", { mode: 0o600 });
  await putText("/etc/hostname", "nex\n");
  await putText("/etc/hosts", "127.0.0.1 localhost nex\n::1 localhost\n");
  await putText("/etc/nsswitch.conf", "hosts: files dns\n");
}

/** What section 13 asks of an image, and our init. */
export async function putRequirements({ tree, putText, busybox }: SystemFiles): Promise<void> {
  await putFile(tree, `${HOME}/busybox`, busybox, { mode: 0o755 });
  for (const applet of INIT_APPLETS)
    tree.put(`${HOME}/bin/${applet}`, { kind: "link", target: "../busybox" });
  await putText("/sbin/init", INIT_SCRIPT, { mode: 0o755 });
  for (const path of ["/dev", "/proc", "/run", "/sys", "/var"]) {
    if (tree.get(path) === undefined) tree.put(path, { kind: "directory" });
  }
  tree.put("/tmp", { kind: "directory", mode: 0o1777 });
  tree.put("/home/nex", { kind: "directory", uid: NEX_ID, gid: NEX_ID });
  tree.put("/etc/resolv.conf", { kind: "link", target: "/proc/net/pnp" });
  await putAccount({
    tree,
    putText,
    file: "/etc/passwd",
    line: `nex:x:${NEX_ID}:${NEX_ID}:nex:/home/nex:/bin/sh`,
  });
  await putAccount({ tree, putText, file: "/etc/group", line: `nex:x:${NEX_ID}:` });
  if (tree.get(CERTIFICATES) === undefined) await putCertificates(tree, putText);
}

async function putAccount(options: {
  readonly tree: ImageTree;
  readonly putText: PutText;
  readonly file: string;
  readonly line: string;
}): Promise<void> {
  const { tree, putText, file, line } = options;
  const entry = tree.get(file);
  const text = entry?.kind === "file" ? await readFile(entry.source, "utf8") : "";
  if (/^nex:/m.test(text)) return;
  await putText(file, `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${line}\n`);
}

async function putCertificates(tree: ImageTree, putText: PutText): Promise<void> {
  for (const path of HOST_CERTIFICATES) {
    if (!(await pathExists(path))) continue;
    await putFile(tree, CERTIFICATES, path);
    return;
  }
  await putText(CERTIFICATES, `${rootCertificates.join("\n")}\n`);
}
