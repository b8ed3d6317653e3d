import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** What there is on a host, sorted, so that two of them can be compared with `deepEqual`. */
export interface Census {
  readonly links: readonly string[];
  readonly addresses: readonly string[];
  readonly namespaces: readonly string[];
  readonly rules: readonly string[];
  readonly mounts: readonly string[];
  /** Listening TCP and bound UDP sockets. */
  readonly sockets: readonly string[];
  readonly forwarding: readonly string[];
  /** Leases and whatever else plugins keep, without the two files that host-local never removes. */
  readonly cniFiles: readonly string[];
  /** Contents of the given directories. */
  readonly files: readonly string[];
  /** Command lines that contain the given word. */
  readonly processes: readonly string[];
}

export interface CensusOptions {
  /** Command line that runs what follows it on the host that is meant. Default: here. */
  readonly prefix?: readonly string[];
  readonly directories?: readonly string[];
  /** Default: no processes are looked for. */
  readonly processWord?: string;
}

/** Counts what may be left behind. Linux, as root. */
export async function takeCensus(options: CensusOptions = {}): Promise<Census> {
  const { prefix = [], directories = [], processWord } = options;
  const lines = async (...command: readonly string[]): Promise<string[]> => {
    const [program = "", ...argv] = [...prefix, ...command];
    const { stdout } = await execute(program, argv, { maxBuffer: 2 ** 26 });
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .sort();
  };
  const shell = (script: string): Promise<string[]> => lines("sh", "-c", script);
  const [links, addresses, namespaces, rules, mounts, sockets, forwarding, cniFiles] = await Promise.all([
    shell("ip -o link | cut -d: -f2 | cut -d@ -f1"),
    shell("ip -o address | awk '{print $2, $3, $4}'"),
    shell("ip netns list | cut -d' ' -f1"),
    shell("iptables-save | grep -e ^-A -e '^:.* -' || true"),
    // iproute2 makes its directory a mount point with the first namespace of a host and leaves it so.
    shell("awk '{print $1, $2, $3}' /proc/self/mounts | grep -v ' /run/netns [^/]*$' || true"),
    shell("ss -Hlntu | awk '{print $1, $5}'"),
    shell("cat /proc/sys/net/ipv4/ip_forward"),
    shell("find /var/lib/cni -type f ! -name lock ! -name 'last_reserved_ip.*' 2>/dev/null || true"),
  ]);
  return {
    links,
    addresses,
    namespaces,
    rules: rules.map((rule) => rule.replace(/ \[\d+:\d+\]$/, "")),
    mounts,
    sockets,
    forwarding,
    cniFiles,
    files: directories.flatMap((path) => readdirSync(path, { recursive: true, encoding: "utf8" }).sort()),
    processes: processWord === undefined ? [] : await shell(PROCESSES.replace("WORD", processWord)),
  };
}

/** Not `ps`: it may be missing. The word is split for grep not to find itself. */
const PROCESSES = `w=WORD; for f in /proc/[0-9]*/cmdline; do
  case "$f" in */$$/*) continue;; esac
  tr '\\0' ' ' < "$f" 2>/dev/null | grep -F -e "$w" | grep -v -F 'w=WORD; for f'; done; true`;
