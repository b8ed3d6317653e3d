/** The agent and what it runs on: Node.js with its shared libraries, beside whatever libraries an image has of its own. */
import { readFile, readdir, realpath, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { errorText } from "../lib/errors.ts";
import { rootfsFailed } from "./failed.ts";
import type { ImageTree } from "./image-tree.ts";
import { HOME } from "./init-script.ts";
import type { PutText } from "./text-files.ts";
import type { RunRootfsTool } from "./tools.ts";

/** Where an image starts its agent. */
const AGENT = "/usr/local/bin/agent";
/** The identity that agents and workloads run under. */
const NEX = { uid: 1000, gid: 1000 };
const ELF_MAGIC = "7f454c46";

/** What {@link putAgent} works with. */
export interface AgentFiles {
  readonly tree: ImageTree;
  readonly putText: PutText;
  readonly run: RunRootfsTool;
  /** A bundle in JavaScript for Node.js, or an executable. */
  readonly agent: string;
  /** The Node.js of the image. */
  readonly node: string;
}

/**
 * Puts the agent into a tree. A bundle gets Node.js and the addon for functions; an executable (such as the agent of another
 * Nex) stands alone.
 *
 * @throws {NexError} `ROOTFS_BUILD_FAILED`
 */
export async function putAgent(files: AgentFiles): Promise<void> {
  const { tree, putText, agent, node } = files;
  if ((await startOf(agent)).toString("hex") === ELF_MAGIC) {
    await putFile(tree, AGENT, agent, { mode: 0o775, ...NEX });
    return;
  }
  await putFile(tree, `${HOME}/agent.js`, agent);
  await putFile(tree, `${HOME}/node`, node, { mode: 0o755 });
  await putText(`${HOME}/package.json`, '{ "type": "module" }\n');
  const loader = await putLibraries(files, node);
  for (const binary of await putIsolateEngine(tree, loader)) await putLibraries(files, binary);
  const library = `${HOME}/lib`;
  const command = `${library}/${loader} --library-path ${library} ${HOME}/node ${HOME}/agent.js`;
  await putText(AGENT, `#!${HOME}/busybox sh\nexec ${command} "$@"\n`, { mode: 0o775, ...NEX });
}

/** Puts a file of the host into a tree. */
export async function putFile(
  tree: ImageTree,
  path: string,
  source: string,
  access: { readonly mode?: number; readonly uid?: number; readonly gid?: number } = {},
): Promise<void> {
  const { size } = await stat(source);
  tree.put(path, { kind: "file", source, size, ...access });
}

/** `isolated-vm` and what loads it, for this machine's architecture and C library. Returns the native files. */
async function putIsolateEngine(tree: ImageTree, dynamicLoader: string): Promise<string[]> {
  const require = createRequire(import.meta.url);
  const engine = dirname(require.resolve("isolated-vm/package.json"));
  const loader = dirname(createRequire(join(engine, "package.json")).resolve("node-gyp-build/package.json"));
  const prebuilt = join("prebuilds", `linux-${process.arch}`);
  const library = dynamicLoader.startsWith("ld-musl") ? "musl" : "glibc";
  const ending = `.abi${process.versions.modules}.${library}.node`;
  const binaries = (await readdir(join(engine, prebuilt)).catch(() => [])).filter((name) =>
    name.endsWith(ending),
  );
  if (binaries.length === 0) throw rootfsFailed(`"isolated-vm" has no binary for linux-${process.arch}`);
  const copy = async (name: string, folder: string, files: readonly string[]): Promise<void> => {
    for (const file of files) await putFile(tree, `${HOME}/node_modules/${name}/${file}`, join(folder, file));
  };
  const native = binaries.map((file) => join(prebuilt, file));
  await copy("isolated-vm", engine, ["package.json", "isolated-vm.js", "LICENSE", ...native]);
  await copy("node-gyp-build", loader, ["package.json", "index.js", "node-gyp-build.js", "LICENSE"]);
  return native.map((file) => join(engine, file));
}

/** Returns the name of the dynamic loader among the libraries of a program. */
async function putLibraries({ tree, run }: AgentFiles, program: string): Promise<string> {
  let loader: string | undefined;
  for (const line of (await run("ldd", [program])).split("\n")) {
    if (line.includes("not found")) throw rootfsFailed(`"${program}" lacks a library: ${line.trim()}`);
    const path = /(?:^|\s)(\/\S+) \(0x/.exec(line)?.[1];
    if (path === undefined) continue;
    const name = basename(path);
    if (name.startsWith("ld-")) loader = name;
    await putFile(tree, `${HOME}/lib/${name}`, await realpath(path), { mode: 0o755 });
  }
  if (loader === undefined) throw rootfsFailed(`"${program}" has no dynamic loader`);
  return loader;
}

async function startOf(path: string): Promise<Buffer> {
  try {
    return (await readFile(path)).subarray(0, 4);
  } catch (cause) {
    throw rootfsFailed(`the agent "${path}" cannot be read: ${errorText(cause)}`, { cause });
  }
}
