import { access } from "node:fs/promises";

/** Whether something is at a path that we can look at. */
export async function pathExists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
