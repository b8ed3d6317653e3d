/**
 * Reads tar archives (ustar, GNU, pax) instead of unpacking them, because only root could give the unpacked files their
 * owners.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { errorText } from "../lib/errors.ts";
import { throwIfAborted } from "../lib/run-tool.ts";
import { rootfsFailed } from "./failed.ts";
import type { ImageTree } from "./image-tree.ts";
import { isEndOfArchive, parsePaxRecords, parseTarHeader } from "./tar-header.ts";
import type { TarHeader } from "./tar-header.ts";

const BLOCK = 512;
/** A name or a set of attributes that is longer is none. */
const MAX_EXTRA_BYTES = 1024 * 1024;

interface ArchiveOptions {
  readonly tree: ImageTree;
  readonly archive: string;
  /** Made; holds the contents of the archive's files. */
  readonly directory: string;
  readonly signal: AbortSignal | undefined;
}

/** Puts what a tar archive (plain, or compressed with gzip or zstd) holds into a tree. */
export async function readArchive(options: ArchiveOptions): Promise<void> {
  const { archive, directory, signal } = options;
  try {
    await mkdir(directory, { recursive: true });
    const plain = await decompressed(archive, directory, signal);
    await using file = await open(plain);
    await readEntries({ ...options, file, plain, size: (await stat(plain)).size });
  } catch (cause) {
    throwIfAborted(signal);
    throw rootfsFailed(`"${archive}" is no tar archive that can be read: ${errorText(cause)}`, {
      hint: "Archives may be plain or compressed with gzip or zstd",
      cause,
    });
  }
}

async function decompressed(
  archive: string,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  await using file = await open(archive);
  const magic = (await readAt(file, 0, 4)).toString("hex");
  const decoder = magic.startsWith("1f8b")
    ? createGunzip()
    : magic === "28b52ffd"
      ? createZstdDecompress()
      : undefined;
  if (decoder === undefined) return archive;
  const plain = join(directory, "archive.tar");
  await pipeline(createReadStream(archive), decoder, createWriteStream(plain), { signal });
  return plain;
}

type OpenArchive = ArchiveOptions & {
  readonly file: FileHandle;
  readonly plain: string;
  readonly size: number;
};

async function readEntries(archive: OpenArchive): Promise<void> {
  const { file, size, signal } = archive;
  let extra: Partial<TarHeader> = {};
  let index = 0;
  for (let at = 0; at + BLOCK <= size;) {
    throwIfAborted(signal);
    const block = await readAt(file, at, BLOCK);
    if (isEndOfArchive(block)) return;
    const header = { ...parseTarHeader(block), ...extra };
    const body = at + BLOCK;
    if (body + header.size > size) throw new Error("it is cut off");
    switch (header.type) {
      case "x":
      case "L":
      case "K":
        extra = { ...extra, ...(await readExtra(file, header, body)) };
        break;
      case "g":
        break;
      default:
        extra = {};
        await putEntry(archive, header, { body, name: String(index++) });
    }
    at = body + Math.ceil(header.size / BLOCK) * BLOCK;
  }
  throw new Error("its end is missing");
}

/** What stands before an entry whose values do not fit into its header. */
async function readExtra(file: FileHandle, header: TarHeader, body: number): Promise<Partial<TarHeader>> {
  if (header.size > MAX_EXTRA_BYTES) throw new Error("an extended header is too long");
  const content = await readAt(file, body, header.size);
  if (header.type === "x") return parsePaxRecords(content);
  const text = content.toString("utf8").replace(/\0.*$/s, "");
  return header.type === "L" ? { path: text } : { target: text };
}

async function putEntry(
  { tree, plain, directory }: OpenArchive,
  header: TarHeader,
  content: { readonly body: number; readonly name: string },
): Promise<void> {
  const path = `/${header.path}`;
  const { mode, uid, gid, size } = header;
  switch (header.type) {
    case "5":
      tree.put(path, { kind: "directory", mode, uid, gid });
      break;
    case "2":
      tree.put(path, { kind: "link", target: header.target, mode: 0o777, uid, gid });
      break;
    case "1": {
      const original = tree.get(`/${header.target}`);
      if (original?.kind !== "file")
        throw new Error(`"${header.target}", linked by "${header.path}", is missing`);
      tree.put(path, original);
      break;
    }
    case "0":
    case "7": {
      const source = join(directory, content.name);
      const { body } = content;
      // A range of no bytes cannot be asked for.
      const bytes = size === 0 ? [] : createReadStream(plain, { start: body, end: body + size - 1 });
      await pipeline(bytes, createWriteStream(source));
      tree.put(path, { kind: "file", source, size, mode, uid, gid });
      break;
    }
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
