import { constants } from "node:fs";
import { copyFile, open, rm, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

/** A copy that shares its blocks with the original until one is written to, or one that stores no zeros. */
export type CopyKind = "reflink" | "sparse";

/**
 * Copies a disk image: by reflink (btrfs, XFS) where the file system can, which takes no time and no space, else leaving
 * out blocks of zeros. The target must not exist; nothing of it is left when the copy fails or `signal` fires.
 */
export async function copyImage(source: string, target: string, signal?: AbortSignal): Promise<CopyKind> {
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return "reflink";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
  }
  await copySparse(source, target, signal);
  return "sparse";
}

/** Large enough to be quick, small enough to find holes. */
const CHUNK = 256 * 1024;
const BLOCK = 4096;
const ZEROS = Buffer.alloc(CHUNK);

async function copySparse(source: string, target: string, signal?: AbortSignal): Promise<void> {
  await using from = await open(source, "r");
  await using to = await open(target, "wx", 0o600);
  try {
    await to.truncate(await writeData(from, to, signal));
  } catch (error) {
    await rm(target, { force: true });
    throw error;
  }
}

/** Returns the size of the source. */
async function writeData(from: FileHandle, to: FileHandle, signal?: AbortSignal): Promise<number> {
  const chunk = Buffer.allocUnsafe(CHUNK);
  for (let position = 0; ;) {
    signal?.throwIfAborted();
    const { bytesRead } = await from.read(chunk, 0, CHUNK, position);
    if (bytesRead === 0) return position;
    for (const [start, end] of dataRanges(chunk.subarray(0, bytesRead))) {
      await to.write(chunk, start, end - start, position + start);
    }
    position += bytesRead;
  }
}

/** The parts of a chunk that hold other than zeros, in whole blocks. */
function dataRanges(chunk: Buffer): readonly (readonly [start: number, end: number])[] {
  if (chunk.equals(ZEROS.subarray(0, chunk.length))) return [];
  const ranges: [number, number][] = [];
  for (let start = 0; start < chunk.length; start += BLOCK) {
    const end = Math.min(start + BLOCK, chunk.length);
    if (chunk.subarray(start, end).equals(ZEROS.subarray(0, end - start))) continue;
    const last = ranges.at(-1);
    if (last?.[1] === start) last[1] = end;
    else ranges.push([start, end]);
  }
  return ranges;
}

/** Whether the file is there, for a probe. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
