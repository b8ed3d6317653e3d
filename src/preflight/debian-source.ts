import { installDebianPackages } from "./debian-packages.ts";
import type { Source } from "./requirement.ts";

/** A package that apt installs on the system; as root only. */
export function debianSource(packageName: string): Source {
  return {
    title: `Debian's package ${packageName}`,
    isPackage: true,
    install: async (context) => installDebianPackages([packageName], context),
  };
}
