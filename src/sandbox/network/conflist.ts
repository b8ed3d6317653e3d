import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errorText } from "../../lib/errors.ts";
import { firstAddress, parseIpv4Network } from "./ipv4.ts";

/** What names a network, and so its file. */
export const NETWORK_NAME = /^[A-Za-z0-9][\w.-]*$/;

/** A CNI network configuration list; plugins have keys of their own, which only they understand. */
export const Conflist = z.looseObject({
  cniVersion: z.string(),
  name: z.string().regex(NETWORK_NAME, "letters, digits, dots, dashes and underscores"),
  plugins: z.array(z.looseObject({ type: z.string().regex(/^[\w.-]+$/) })).min(1),
});
export type Conflist = z.infer<typeof Conflist>;

/** The name of the plugin whose work we do ourselves where it is missing. */
export const TAP_PLUGIN = "tc-redirect-tap";

export interface DefaultConflistOptions {
  readonly networkName: string;
  /** IPv4 network, `192.168.127.0/24`. */
  readonly subnet: string;
  /** The node's address in it. */
  readonly gateway: string;
  /** Default: what the host's `/etc/resolv.conf` says. */
  readonly nameservers?: readonly string[];
}

/** The list of protocol.md 12.3, for hosts that have none. */
export function defaultConflist({
  networkName,
  subnet,
  gateway,
  nameservers = [],
}: DefaultConflistOptions): Conflist {
  const network = parseIpv4Network(subnet);
  const isUsual = network !== undefined && firstAddress(network) === gateway;
  return {
    cniVersion: "0.4.0",
    name: networkName,
    plugins: [
      {
        type: "ptp",
        ipMasq: true,
        ...(nameservers.length === 0 ? {} : { dns: { nameservers } }),
        ipam: {
          type: "host-local",
          subnet,
          ...(isUsual ? {} : { gateway }),
          resolvConf: "/etc/resolv.conf",
        },
      },
      { type: TAP_PLUGIN },
    ],
  };
}

/**
 * A list that this network can use.
 *
 * @throws {Error} saying what is wrong with it
 */
export function parseConflist(text: string): Conflist {
  const parsed = Conflist.safeParse(JSON.parse(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not valid"}`);
  }
  const types = parsed.data.plugins.map(({ type }) => type);
  // What a machine may reach is decided by the interface its packets come from (V4): with a bridge it is shared.
  if (types[0] !== "ptp") throw new Error(`its first plugin is "${types[0]}"; it must be "ptp"`);
  if (types.at(-1) !== TAP_PLUGIN) {
    throw new Error(`its last plugin is "${types.at(-1)}"; it must be "${TAP_PLUGIN}"`);
  }
  return parsed.data;
}

/**
 * `{directory}/{networkName}.conflist`, or the default list where there is no such file.
 *
 * @throws {Error} naming the file and what is wrong with it
 */
export async function loadConflist(
  options: DefaultConflistOptions & { readonly confDirectory: string },
): Promise<Conflist> {
  const file = join(options.confDirectory, `${options.networkName}.conflist`);
  try {
    return parseConflist(await readFile(file, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return defaultConflist(options);
    throw new Error(`"${file}" cannot be used: ${errorText(error)}`, { cause: error });
  }
}
