/** What a node needs of its host, as its configuration says. Paths are absolute or relative to the working directory. */
export interface HostPlan {
  /** `auto`: Firecracker or QEMU, whichever is there. */
  readonly sandbox: SandboxSetting;
  /** Where `firecracker` and `qemu-system-…` are looked for; something new goes to the first one. */
  readonly binPath: readonly string[];
  /** Where CNI plugins are looked for; something new goes to the first one. */
  readonly cniBinPath: readonly string[];
  readonly conflist: {
    readonly directory: string;
    readonly networkName: string;
    readonly subnet: string;
    readonly gateway: string;
    readonly nameservers: readonly string[];
  };
  readonly kernel: string;
  /** Where the initrd of a kernel that needs one is, or goes. */
  readonly initrd: string;
  /** Whether the configuration names it, so that it has to be there. */
  readonly isInitrdConfigured: boolean;
  readonly rootfs: string;
  /** Where the system's own programs are looked for. */
  readonly toolPath: readonly string[];
  /** The bundled agent, for hosts that run workloads without a sandbox. */
  readonly agent: string;
  /** Mirrors by {@link DownloadName}; they go before everything else. */
  readonly downloads: Readonly<Partial<Record<DownloadName, DownloadSetting>>>;
}

/** The configuration key `sandbox`. */
export const SANDBOX_SETTINGS = ["auto", "firecracker", "qemu", "process"] as const;
export type SandboxSetting = (typeof SANDBOX_SETTINGS)[number];

/** What can be had from a mirror. */
export const DOWNLOAD_NAMES = [
  "host_local",
  "ptp",
  "tc_redirect_tap",
  "firecracker",
  "kernel",
  "initrd",
  "rootfs",
] as const;
export type DownloadName = (typeof DOWNLOAD_NAMES)[number];

/** A file of a mirror: as it is, gzipped (`.gz`), or a member of a `.tgz` or `.tar.gz` archive. */
export interface DownloadSetting {
  readonly url: string;
  /** Hex SHA-256 of what is downloaded. Default: the first word of `{url}.sha256`. */
  readonly sha256?: string | undefined;
  /** Path of the file inside the archive. */
  readonly member?: string | undefined;
}
