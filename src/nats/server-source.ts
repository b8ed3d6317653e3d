/** An official release of nats-server. */
export interface ServerRelease {
  /** Without the leading `v`. */
  readonly version: string;
  /** The archives are at `{baseUrl}/v{version}/nats-server-v{version}-{platform}.tar.gz`. */
  readonly baseUrl: string;
  /** SHA-256 of the archive in hex, by platform such as `linux-amd64`. Other platforms are not downloaded. */
  readonly sha256: Readonly<Record<string, string>>;
  /** Time until the host must have answered. Default 5000. */
  readonly answerLimitMs?: number;
}

/** What a source that makes a binary works with. */
export interface SourceContext {
  /** Empty, for this source alone; removed afterwards. */
  readonly directory: string;
  readonly release: ServerRelease;
  readonly environment: Readonly<Record<string, string>>;
  readonly report: (message: string, percent?: number) => void;
  readonly signal: AbortSignal | undefined;
}
