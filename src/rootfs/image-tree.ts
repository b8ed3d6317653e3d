import { dirname, join } from "node:path/posix";
import { rootfsFailed } from "./failed.ts";

interface Ownership {
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What stands at one path of an image. The content of a file is in a file of the host, which is only read. */
export type TreeEntry =
  | (Ownership & { readonly kind: "directory" })
  | (Ownership & { readonly kind: "file"; readonly source: string; readonly size: number })
  | (Ownership & { readonly kind: "link"; readonly target: string });

type Partially<E> = E extends Ownership ? Omit<E, keyof Ownership> & Partial<Ownership> : never;

const MAX_LINKS = 40;
const DEFAULT_MODE = { directory: 0o755, file: 0o644, link: 0o777 } as const;

/** The files of an image, by absolute path, before they are written. Owner and modes need no rights on the host. */
export class ImageTree {
  readonly #entries = new Map<string, TreeEntry>([["/", { kind: "directory", mode: 0o755, uid: 0, gid: 0 }]]);

  /** In an order that depends on nothing but the paths; a directory comes before what it holds. */
  entries(): [path: string, entry: TreeEntry][] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  get(path: string): TreeEntry | undefined {
    return this.#entries.get(this.resolve(path));
  }

  /**
   * Puts an entry at `path`, whatever stood there; directories on the way are made and links on the way are followed (in
   * Debian's images `/sbin` is one). Owner: root; modes: 0755 for directories, 0644 for files.
   */
  put(path: string, entry: Partially<TreeEntry>): void {
    const resolved = this.resolve(path);
    const full = { mode: DEFAULT_MODE[entry.kind], uid: 0, gid: 0, ...entry };
    const before = this.#entries.get(resolved);
    if (before?.kind === "directory" && full.kind !== "directory") this.#removeBelow(resolved);
    this.#makeParents(resolved);
    this.#entries.set(resolved, full);
  }

  remove(path: string): void {
    const resolved = this.resolve(path);
    this.#removeBelow(resolved);
    this.#entries.delete(resolved);
  }

  /** `path` with the links among its directories followed; a link at its end stays. */
  resolve(path: string): string {
    let resolved = "/";
    let left = parts(path);
    let links = 0;
    for (let part = left.shift(); part !== undefined; part = left.shift()) {
      if (part === "..") {
        resolved = dirname(resolved);
        continue;
      }
      const next = join(resolved, part);
      const entry = this.#entries.get(next);
      if (entry?.kind !== "link" || left.length === 0) {
        resolved = next;
        continue;
      }
      if (++links > MAX_LINKS) throw rootfsFailed(`the links on the way to "${path}" go in circles`);
      left = [...parts(entry.target), ...left];
      if (entry.target.startsWith("/")) resolved = "/";
    }
    return resolved;
  }

  #makeParents(path: string): void {
    const parent = dirname(path);
    if (this.#entries.get(parent)?.kind === "directory") return;
    this.#makeParents(parent);
    this.#entries.set(parent, { kind: "directory", mode: 0o755, uid: 0, gid: 0 });
  }

  #removeBelow(path: string): void {
    for (const other of this.#entries.keys()) if (other.startsWith(`${path}/`)) this.#entries.delete(other);
  }
}

function parts(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
