import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImageTree } from "./image-tree.ts";

/** Puts files with a known content into a tree. */
export type PutText = (
  path: string,
  text: string,
  access?: { readonly mode?: number; readonly uid?: number; readonly gid?: number },
) => Promise<void>;

/** Keeps the contents in `directory` until the image is written. */
export async function textFiles(tree: ImageTree, directory: string): Promise<PutText> {
  await mkdir(directory, { recursive: true });
  let count = 0;
  return async (path, text, access = {}) => {
    const source = join(directory, String(count++));
    await writeFile(source, text);
    tree.put(path, { kind: "file", source, size: Buffer.byteLength(text), ...access });
  };
}
