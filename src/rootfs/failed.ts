import { NexError } from "../lib/errors.ts";

/** The error of everything that keeps an image from being built. */
export function rootfsFailed(
  reason: string,
  { hint, cause }: { readonly hint?: string; readonly cause?: unknown } = {},
): NexError {
  return new NexError({
    code: "ROOTFS_BUILD_FAILED",
    message: `Cannot build root file system: ${reason}`,
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}
