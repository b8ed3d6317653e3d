import { constants } from "node:fs";
import { access } from "node:fs/promises";

export const KVM = "/dev/kvm";

/** Whether KVM can be tried; only a guest that boots tells whether it works. */
export async function canOpenKvm(): Promise<boolean> {
  return access(KVM, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}
