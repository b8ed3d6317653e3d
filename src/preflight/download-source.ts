import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { download } from "../lib/download.ts";
import { NexError, errorText } from "../lib/errors.ts";
import { runTool } from "../lib/run-tool.ts";
import type { DownloadSetting } from "./host-plan.ts";
import type { InstallContext, Source } from "./requirement.ts";
import { putWhole } from "./whole-file.ts";

const SUM_LIMIT_MS = 5000;
const UNPACK_LIMIT_MS = 120_000;
const MODE = 0o755;

/** A file from the web, checked against its SHA-256 before it is used. `sumUrl`: where its sum is when it is not known. */
export function downloadSource(setting: DownloadSetting & { readonly sumUrl?: string }): Source {
  return {
    title: setting.url,
    install: async (context) => {
      const sha256 =
        setting.sha256 ?? (await publishedSum(setting.sumUrl ?? `${setting.url}.sha256`, context));
      await mkdir(context.cacheDirectory, { recursive: true, mode: 0o700 });
      const name = createHash("sha256").update(setting.url).digest("hex").slice(0, 16);
      const path = join(context.cacheDirectory, `${name}-${basename(new URL(setting.url).pathname)}`);
      const title = `Downloading ${setting.url}`;
      context.report(title);
      await download({
        url: setting.url,
        path,
        sha256,
        onProgress: (received, total) => {
          if (total > 0) context.report(title, Math.round((received / total) * 100));
        },
        signal: context.signal,
      });
      try {
        await place(path, setting, context);
      } finally {
        await rm(path, { force: true });
      }
    },
  };
}

async function place(path: string, setting: DownloadSetting, context: InstallContext): Promise<void> {
  const { target, force } = context;
  try {
    await putWhole(target, { replace: force, make: (made) => unpack(path, made, setting, context) });
  } catch (cause) {
    if (cause instanceof NexError) throw cause;
    const message = `Cannot unpack ${basename(path)} to ${target}: ${errorText(cause)}`;
    throw new NexError({ code: "PREFLIGHT_FAILED", message, cause });
  }
}

async function unpack(
  path: string,
  made: string,
  { member }: DownloadSetting,
  { environment, signal }: InstallContext,
): Promise<void> {
  if (member !== undefined) {
    const script = 'exec tar -xzOf "$1" "$2" > "$3"';
    const argv = ["-c", script, "unpack", path, member, made];
    await runTool({ program: "sh", argv, environment, timeoutMs: UNPACK_LIMIT_MS, signal });
  } else {
    const steps = path.endsWith(".gz") ? [createGunzip()] : [];
    await pipeline([createReadStream(path), ...steps, createWriteStream(made)], {
      ...(signal && { signal }),
    });
  }
  await chmod(made, MODE);
}

/** The sum that the host publishes beside a file: the first word of the answer. */
async function publishedSum(url: string, { signal }: InstallContext): Promise<string> {
  const limit = AbortSignal.timeout(SUM_LIMIT_MS);
  try {
    const response = await fetch(url, {
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    });
    if (!response.ok) throw new Error(`the host answered ${response.status} ${response.statusText}`);
    const [sum = ""] = (await response.text()).trim().split(/\s+/);
    if (!/^[0-9a-f]{64}$/i.test(sum)) throw new Error("it holds no SHA-256");
    return sum;
  } catch (cause) {
    const reason = errorText(cause instanceof Error && cause.cause !== undefined ? cause.cause : cause);
    const message = `Cannot download the SHA-256 at ${url}: ${reason}`;
    throw new NexError({ code: "DOWNLOAD_FAILED", message, cause });
  }
}
