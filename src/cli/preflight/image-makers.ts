import { copyFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { NexError } from "../../lib/errors.ts";
import { findProgram } from "../../lib/find-program.ts";
import type { HostPlan } from "../../preflight/host-plan.ts";
import { isInstalledHere, recordSum } from "../../preflight/installed-sums.ts";
import type { InstallContext } from "../../preflight/requirement.ts";
import type { ImageMakers } from "../../preflight/requirements.ts";
import { putWhole } from "../../preflight/whole-file.ts";
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
      install: async ({ target, report, signal, force }) => {
        await putWhole(target, {
          replace: force,
          make: async (output) => {
            const path = plan.toolPath.join(delimiter);
            const onStep = (text: string): void => report(text.replaceAll(output, target));
            await buildRootfs({ output, agent: plan.agent, path, onStep, signal });
          },
        });
      },
    },
  };
}

/** The kernel as ELF, which every monitor boots, and its initrd. The kernel comes last: it is what is looked for. */
async function installKernel(plan: HostPlan, context: InstallContext): Promise<void> {
  const { environment, cacheDirectory, report, signal, target, force } = context;
  const busybox = await findProgram("busybox", { path: plan.toolPath.join(delimiter) });
  if (busybox === undefined) {
    throw new NexError({ code: "PREFLIGHT_FAILED", message: "there is no busybox" });
  }
  const { path: image, initrd } = await fetchDebianKernel({
    cacheDirectory: join(cacheDirectory, "kernels"),
    busybox,
    environment,
    onStep: report,
    signal,
  });
  if (initrd !== undefined) {
    const replace = force || (await isInstalledHere(plan, plan.initrd));
    await putWhole(plan.initrd, { replace, make: (made) => copyFile(initrd, made) });
    await recordSum(plan, plan.initrd);
  }
  report("Unpacking the kernel");
  await putWhole(target, { replace: force, make: (made) => extractVmlinux(image, made) });
}
