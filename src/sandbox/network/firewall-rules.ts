/**
 * The rules of V4 as input for `iptables-restore --noflush`, in chains that carry the node's name:
 *
 *     raw     PREROUTING ─► drops what a machine may not send: foreign source addresses, forbidden destinations
 *     nat     PREROUTING ─► sends requests for metadata to the node
 *     mangle  FORWARD    ─► drops what others send to a machine unasked
 *     filter  INPUT, FORWARD ─► accepts what is left, whatever the policy of the host is
 *
 * R1 what is forbidden is dropped before any accept rule of another node on this host could let it pass
 * R2 a machine's packets are told by the interface they come from, never by their addresses
 * R3 declaring a chain empties it, so that one run replaces all of the node's rules at once
 */

/** What the rules depend on. */
export interface FirewallPlan {
  /** Name of the node's chains, at most 25 characters. */
  readonly chain: string;
  readonly gateway: string;
  readonly subnet: string;
  /** IPv4 networks that machines may reach besides. */
  readonly allow: readonly string[];
  /** Port of the metadata service at the gateway. */
  readonly metadataPort?: number;
  readonly machines: readonly FirewallMachine[];
}

export interface FirewallMachine {
  readonly hostInterface: string;
  readonly address: string;
}

const METADATA_ADDRESS = "169.254.169.254";

/** Where the chains are jumped from, first of all rules. */
const HOOKS = { raw: ["PREROUTING"], nat: ["PREROUTING"], mangle: ["FORWARD"], filter: ["INPUT", "FORWARD"] };

type Table = keyof typeof HOOKS;

/**
 * All rules of a node. `saved` is what `iptables-save` printed: jumps that are missing in it are made, at the node's start
 * or after somebody has flushed them.
 */
export function renderFirewall(plan: FirewallPlan, saved: string): string {
  const { chain, machines } = plan;
  const guests = guestChain(chain);
  const perMachine = (rules: (machine: FirewallMachine) => readonly string[]): string[] =>
    machines.flatMap((machine) => rules(machine).map((rule) => `-A ${chain} ${rule}`));
  const table = (name: Table, chains: readonly string[], rules: readonly string[]): string[] => [
    `*${name}`,
    ...chains.map((each) => `:${each} - [0:0]`),
    ...missingJumps(saved, name, chain),
    ...rules,
    "COMMIT",
  ];
  return [
    ...table(
      "raw",
      [chain, guests],
      [
        ...perMachine(({ hostInterface, address }) => [
          `-i ${hostInterface} ! -s ${address}/32 -j DROP`,
          `-i ${hostInterface} -g ${guests}`,
        ]),
        ...gatewayRules(plan).map((rule) => `-A ${chain} ${rule}`),
        ...destinationRules(plan).map((rule) => `-A ${guests} ${rule}`),
      ],
    ),
    ...table("nat", [chain], perMachine(metadataRules(plan))),
    ...table(
      "mangle",
      [chain],
      perMachine(({ hostInterface }) => [
        `-o ${hostInterface} -m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP`,
      ]),
    ),
    ...table(
      "filter",
      [chain],
      perMachine(({ hostInterface }) => [`-i ${hostInterface} -j ACCEPT`, `-o ${hostInterface} -j ACCEPT`]),
    ),
    "",
  ].join("\n");
}

/**
 * What takes a node's chains and everything that leads to them out of the rules that `iptables-save` printed. Empty when
 * there is nothing.
 */
export function renderRemoval(saved: string, chain: string): string {
  const ours = new Set([chain, guestChain(chain)]);
  return renderDeletion(saved, {
    isChain: (name) => ours.has(name),
    isRule: (rule) => ours.has(targetOf(rule)),
  });
}

/** The same for the masquerading that `ptp` set up for one container and did not remove. */
export function renderMasqueradeRemoval(saved: string, containerId: string): string {
  const isRule = (rule: string): boolean => rule.includes(` id: \\"${containerId}\\"`);
  const chains = new Set(
    saved
      .split("\n")
      .filter(isRule)
      .map(targetOf)
      .filter((target) => target.startsWith("CNI-")),
  );
  return renderDeletion(saved, { isChain: (name) => chains.has(name), isRule });
}

/** Whether rules of anybody but `chain` route or translate: somebody else needs IP forwarding. */
export function hasForeignForwarding(saved: string, chain: string): boolean {
  return tablesOf(saved).some(({ table, rules }) =>
    rules.some(
      (rule) => (table === "nat" || / FORWARD /.test(rule)) && targetOf(rule) !== chain && !isIn(rule, chain),
    ),
  );
}

function missingJumps(saved: string, name: Table, chain: string): string[] {
  const rules = tablesOf(saved).find(({ table }) => table === name)?.rules ?? [];
  return HOOKS[name]
    .filter((hook) => !rules.includes(`-A ${hook} -j ${chain}`))
    .map((hook) => `-I ${hook} 1 -j ${chain}`);
}

/** The gateway address is the machines': others on the host's links must not reach what listens at it. */
function gatewayRules({ gateway, subnet }: FirewallPlan): string[] {
  return ["-i lo -j RETURN", `-i veth+ -s ${subnet} -j RETURN`, `-d ${gateway}/32 -j DROP`];
}

function destinationRules({ gateway, subnet, allow, metadataPort }: FirewallPlan): string[] {
  return [
    `-d ${gateway}/32 -j RETURN`,
    ...(metadataPort === undefined ? [] : [`-d ${METADATA_ADDRESS}/32 -p tcp --dport 80 -j RETURN`]),
    `-d ${subnet} -j DROP`,
    ...allow.map((network) => `-d ${network} -j RETURN`),
    "-d 169.254.0.0/16 -j DROP",
    "-d 127.0.0.0/8 -j DROP",
    "-m addrtype --dst-type LOCAL -j DROP",
    "-m addrtype --dst-type MULTICAST -j DROP",
    "-m addrtype --dst-type BROADCAST -j DROP",
  ];
}

function metadataRules({ gateway, metadataPort }: FirewallPlan): (machine: FirewallMachine) => string[] {
  if (metadataPort === undefined) return () => [];
  return ({ hostInterface }) => [
    `-i ${hostInterface} -d ${METADATA_ADDRESS}/32 -p tcp --dport 80 -j DNAT --to-destination ${gateway}:${metadataPort}`,
  ];
}

function guestChain(chain: string): string {
  return `${chain}-TO`;
}

interface SavedTable {
  readonly table: string;
  readonly chains: readonly string[];
  /** `-A FORWARD -j NEX-1a2b3c4d` */
  readonly rules: readonly string[];
}

function renderDeletion(
  saved: string,
  {
    isChain,
    isRule,
  }: { readonly isChain: (name: string) => boolean; readonly isRule: (rule: string) => boolean },
): string {
  return tablesOf(saved)
    .flatMap(({ table, chains, rules }) => {
      const gone = chains.filter(isChain);
      // Rules inside the chains go with them.
      const jumps = rules.filter((rule) => isRule(rule) && !gone.some((chain) => isIn(rule, chain)));
      if (gone.length + jumps.length === 0) return [];
      return [
        `*${table}`,
        ...jumps.map((rule) => rule.replace("-A ", "-D ")),
        ...gone.map((chain) => `-F ${chain}`),
        ...gone.map((chain) => `-X ${chain}`),
        "COMMIT\n",
      ];
    })
    .join("\n");
}

function tablesOf(saved: string): SavedTable[] {
  return saved
    .split(/^(?=\*)/m)
    .filter((section) => section.startsWith("*"))
    .map((section) => {
      const lines = section.split("\n");
      return {
        table: (lines[0] ?? "").slice(1).trim(),
        chains: lines.filter((line) => line.startsWith(":")).map((line) => line.slice(1).split(" ")[0] ?? ""),
        rules: lines.filter((line) => line.startsWith("-A ")),
      };
    });
}

function isIn(rule: string, chain: string): boolean {
  return rule.startsWith(`-A ${chain} `) || rule.startsWith(`-A ${guestChain(chain)} `);
}

function targetOf(rule: string): string {
  return / -[jg] (\S+)/.exec(rule)?.[1] ?? "";
}
