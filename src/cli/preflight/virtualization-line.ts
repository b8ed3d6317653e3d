import type { Virtualization } from "../../preflight/virtualization.ts";
import { printable } from "../output/text-width.ts";

/** How virtual machines run here, in a line; what a guest that did not boot has said last follows in lines of their own. */
export function virtualizationLines(virtualization: Virtualization): readonly string[] {
  const line = (sign: string, text: string): string => `${sign} Virtualization - ${printable(text)}`;
  const { detail } = virtualization;
  switch (virtualization.kind) {
    case "kvm":
      return [line("✅", "KVM boots a guest")];
    case "emulation":
      return [line("🟡", `software emulation: ${detail}`)];
    case "unknown":
      return [line("🟡", detail)];
    case "failed":
      return [line("⛔", detail), ...virtualization.lastLines.map((text) => `\t${printable(text)}`)];
  }
}
