import type { KernelFit, MonitorName } from "../../preflight/kernel-fit.ts";
import { printable } from "../output/text-width.ts";

const TITLES: Readonly<Record<MonitorName, string>> = { firecracker: "Firecracker", qemu: "QEMU" };

/** What the kernel is and which monitors can boot it. */
export function kernelLine(fit: KernelFit): string {
  const parts = (["firecracker", "qemu"] as const).map((name) => {
    const reason = fit[name];
    return `${TITLES[name]} ${reason === null ? "can boot it" : `cannot: ${reason}`}`;
  });
  return `${signOf(fit)} Kernel - ${printable(`${fit.detail}: ${parts.join("; ")}`)}`;
}

function signOf(fit: KernelFit): string {
  if (fit.hint !== undefined) return "⛔";
  return fit.used.every((name) => fit[name] === null) ? "✅" : "🟡";
}
