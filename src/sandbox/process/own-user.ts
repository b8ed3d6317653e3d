import { randomInt } from "node:crypto";

/** User ids that sandboxes of a node that runs as root may have, each its own. */
export interface UserRange {
  readonly first: number;
  readonly count: number;
}

/**
 * Ranges nobody else uses: the first is unassigned on Linux, the second, for containers that have no such high ids, is that
 * of systemd's dynamic users (systemd, "Users, Groups, UIDs and GIDs on systemd Systems").
 */
export const USER_RANGES: readonly UserRange[] = [
  { first: 1_900_000_000, count: 200_000_000 },
  { first: 61_184, count: 4336 },
];

/** A user id of the range that is not in `used`. */
export function chooseUser({ first, count }: UserRange, used: ReadonlySet<number>): number {
  for (;;) {
    const user = first + randomInt(count);
    if (!used.has(user)) return user;
  }
}
