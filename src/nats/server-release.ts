import { join } from "node:path";
import { download } from "../lib/download.ts";
import { NexError } from "../lib/errors.ts";
import { runTool } from "../lib/run-tool.ts";
import type { ServerRelease, SourceContext } from "./server-source.ts";

/** The release we ship with. Sums: the build instructions of the official container image `nats:2.12.15-alpine3.22`. */
export const PINNED_RELEASE: ServerRelease = {
  version: "2.12.15",
  baseUrl: "https://github.com/nats-io/nats-server/releases/download",
  sha256: {
    "linux-amd64": "58ab8131f819263897e2fc38e503e1b755b63bcafeecc7d12582487df48ca15e",
    "linux-arm64": "b724db99fefbf8f5c808baa82819ee50350aee9734017e4a478f7e545cef3ab6",
  },
};

/** The name of this machine's platform in release archives, such as `linux-amd64`. */
export function releasePlatform(): string {
  return `${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`;
}

/** Downloads the release's archive, checks its sum and unpacks it. */
export async function releasedServer(context: SourceContext): Promise<string> {
  const { release, directory, signal, report } = context;
  const platform = releasePlatform();
  const sha256 = release.sha256[platform];
  if (sha256 === undefined) throw refused(`no release with a known SHA-256 for ${platform}`);
  const name = `nats-server-v${release.version}-${platform}`;
  const archive = join(directory, "archive.tar.gz");
  const title = `Downloading nats-server ${release.version}`;
  report(title);
  await download({
    url: `${release.baseUrl}/v${release.version}/${name}.tar.gz`,
    path: archive,
    sha256,
    ...(release.answerLimitMs === undefined ? {} : { answerLimitMs: release.answerLimitMs }),
    tries: 1,
    onProgress: (received, total) => {
      if (total > 0) report(title, Math.round((received / total) * 100));
    },
    signal,
  });
  await runTool({
    program: "tar",
    argv: ["-xzf", archive, "-C", directory, `${name}/nats-server`],
    environment: context.environment,
    timeoutMs: 60_000,
    signal,
  });
  return join(directory, name, "nats-server");
}

function refused(reason: string): NexError {
  return new NexError({ code: "NATS_SERVER_UNUSABLE", message: reason });
}
