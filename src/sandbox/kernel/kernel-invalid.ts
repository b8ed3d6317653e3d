import { NexError } from "../../lib/errors.ts";

/** The error of a kernel, or a package of one, that no virtual machine can boot. */
export function kernelInvalid(path: string, reason: string, cause?: unknown): NexError {
  return new NexError({ code: "KERNEL_INVALID", message: `Cannot use kernel "${path}": ${reason}`, cause });
}
