import { copyFile, mkdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { NexError } from "../../lib/errors.ts";
import { findProgram } from "../../lib/find-program.ts";
import type { HostPlan } from "../../preflight/host-plan.ts";
import type { InstallContext } from "../../preflight/requirement.ts";
import type { ImageMakers } from "../../preflight/requirements.ts";
import { buildRootfs } from "../../rootfs/build-rootfs.ts";
import { fetchDebianKernel } from "../../sandbox/kernel/debian-kernel.ts";
import { extractVmlinux } from "../../sandbox/kernel/describe-kernel.ts";

/** How preflight makes the files that machines boot from. */
export function imageMakers(plan: HostPlan): ImageMakers {
  return {
    kernel: {
      title: "Debian's kernel for virtual machines",
      install: async (context) => installKernel(plan, context),
    },
    rootfs: {
      title: "a root file system made here",
      install: async ({ target, report, environment, signal }) => {
        await buildRootfs({
          output: target,
          agent: plan.agent,
          path: environment["PATH"],
          onStep: report,
          signal,
        });
      },
    },
  };
}

/** The kernel as ELF, which every monitor boots, and its initrd. The kernel comes last: it is what is looked for. */
async function installKernel(plan: HostPlan, context: InstallContext): Promise<void> {
  const { environment, cacheDirectory, report, signal, target } = context;
  const busybox = await findProgram("busybox", { path: `${environment["PATH"] ?? ""}:/bin:/usr/bin` });
  if (busybox === undefined) {
    throw new NexError({
      code: "PREFLIGHT_FAILED",
      message: "there is no busybox: apt-get install busybox-static",
    });
  }
  const made = await fetchDebianKernel({
    cacheDirectory: join(cacheDirectory, "kernels"),
    busybox,
    environment,
    onStep: report,
    signal,
  });
  await mkdir(dirname(plan.initrd), { recursive: true });
  if (made.initrd !== undefined) await place(made.initrd, plan.initrd);
  const elf = `${target}.${process.pid}.new`;
  report("Unpacking the kernel");
  await extractVmlinux(made.path, elf);
  await rename(elf, target);
}

async function place(source: string, target: string): Promise<void> {
  const made = `${target}.${process.pid}.new`;
  await copyFile(source, made);
  await rename(made, target);
}
