import { chmod, chown, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ControlGroup, ControlGroups } from "./control-groups.ts";
import type { ProcessLimits } from "./limits.ts";

/** What is made on the host for one sandbox; dispose removes it once nothing runs there. */
export interface Premises extends AsyncDisposable {
  /** Temporary directory, on the host. */
  readonly directory: string;
  /** The sandbox's own user. */
  readonly user: number | undefined;
  /** Files of its control groups, see `ControlGroup`. */
  readonly entrances: readonly string[];
}

export interface PremisesOptions {
  readonly id: string;
  readonly user: number | undefined;
}

/** Makes the premises of a sandbox below `parent`. */
export async function makePremises({
  id,
  user,
  parent,
  groups,
  limits,
}: PremisesOptions & {
  readonly parent: string;
  readonly groups: ControlGroups | undefined;
  readonly limits: ProcessLimits;
}): Promise<Premises> {
  const directory = join(parent, id);
  let group: ControlGroup | undefined;
  const remove = async (): Promise<void> => {
    await group?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  await mkdir(directory, { mode: 0o700 });
  try {
    if (user !== undefined) {
      await chown(directory, user, user);
      // Its user has to get there.
      await chmod(dirname(directory), 0o711);
    }
    group = await groups?.make(id, limits);
  } catch (error) {
    await remove();
    throw error;
  }
  return { directory, user, entrances: group?.entrances ?? [], [Symbol.asyncDispose]: remove };
}
