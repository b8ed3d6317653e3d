/** How far an installation is. `percent` of this step, 0 to 100, where it is known. */
export type ReportProgress = (message: string, percent?: number) => void;

/** What a source works with. */
export interface InstallContext {
  /** The file to make, with its directory. It appears there only when it is whole. */
  readonly target: string;
  /** Where downloads that broke off wait to be gone on with. */
  readonly cacheDirectory: string;
  /** Of the tools that are run (PATH, HOME, proxies). */
  readonly environment: Readonly<Record<string, string>>;
  readonly report: ReportProgress;
  readonly signal: AbortSignal | undefined;
  /** Replace what is there already. */
  readonly force: boolean;
}

/** A way to get something that is missing. */
export interface Source {
  /** Completes "Installing … from"; `Debian's package ptp`. */
  readonly title: string;
  /** Whether it is a package of the system, which has places of its own for its files and may change them. */
  readonly isPackage?: true;
  /** @throws {NexError} with the reason; nothing is left half-installed */
  readonly install: (context: InstallContext) => Promise<void>;
}

/** Something that a node needs of its host. */
export interface Requirement {
  /** Stable name for `--json`: `ptp`, `kernel`. */
  readonly name: string;
  /** `ptp CNI plugin` */
  readonly description: string;
  /** Names of the file, the first of them for something new. */
  readonly fileNames: readonly string[];
  /** Searched in order; something new goes to the first one. */
  readonly directories: readonly string[];
  /** Whether it has to be executable. */
  readonly isProgram: boolean;
  /** What stands in for it when it is missing, for things that we can do without. */
  readonly substitute?: string;
  /** What the sources need, looked for only when this is to be installed. */
  readonly tools?: readonly Requirement[];
  /** Tried in order. */
  readonly sources: readonly Source[];
  /** What to do by hand, one sentence without a full stop. */
  readonly instruction: string;
  /** What `node up` says when it is missing (protocol.md 9.2). */
  readonly missingText: string;
}

/** Whether a requirement is met. */
export type Finding =
  | { readonly kind: "satisfied"; readonly requirement: Requirement; readonly location: string }
  | { readonly kind: "missing"; readonly requirement: Requirement }
  /** The file is not the one that was installed. */
  | { readonly kind: "changed"; readonly requirement: Requirement; readonly location: string };
