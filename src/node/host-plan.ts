import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { HostPlan } from "../preflight/host-plan.ts";
import { SYSTEM_PATH } from "../lib/find-program.ts";
import type { NodeConfiguration } from "./configuration.ts";

/** The bundled agent, built by `npm run build`; the same path from `src/node` and from `dist/node`. */
export const AGENT = fileURLToPath(new URL("../../dist/agent.js", import.meta.url));

/** What a node with this configuration needs of its host. `searchPath`: the environment variable PATH. */
export function hostPlan(configuration: NodeConfiguration, searchPath: string): HostPlan {
  const { cni, kernel_filepath: kernel = "", rootfs_filepath: rootfs = "" } = configuration;
  const hasOwnPath = configuration.bin_path.length > 0;
  const inPath = searchPath.split(delimiter).filter((directory) => directory.startsWith("/"));
  return {
    sandbox: configuration.sandbox,
    binPath: unique([...configuration.bin_path, "/usr/local/bin", ...(hasOwnPath ? [] : inPath), "/usr/bin"]),
    cniBinPath: cni.bin_path,
    conflist: {
      directory: cni.conf_path,
      networkName: cni.network_name,
      subnet: cni.subnet,
      gateway: configuration.internal_node_host,
      nameservers: cni.nameservers,
    },
    kernel,
    initrd: configuration.initrd_filepath ?? join(dirname(kernel), "initrd"),
    isInitrdConfigured: configuration.initrd_filepath !== undefined,
    rootfs,
    toolPath: unique([...inPath, ...SYSTEM_PATH.split(delimiter)]),
    agent: AGENT,
    downloads: configuration.downloads,
  };
}

/** The initrd that a kernel boots with, if it has one. */
export function configuredInitrd(configuration: NodeConfiguration): string | undefined {
  if (configuration.initrd_filepath !== undefined) return configuration.initrd_filepath;
  const beside = join(dirname(configuration.kernel_filepath ?? ""), "initrd");
  return existsSync(beside) ? beside : undefined;
}

function unique(directories: readonly string[]): readonly string[] {
  return [...new Set(directories)];
}
