import { delimiter } from "node:path";
import { NexError } from "../../lib/errors.ts";
import { findNatsServer } from "../../nats/server-binary.ts";
import { natsServerCache } from "../embedded-nats.ts";
import type { Finding, LocalPatient } from "./check.ts";

/** Whether there is a nats-server for `--embedded-nats`. Nothing is downloaded; that it is missing is no failure. */
export async function checkNatsServer({ context }: LocalPatient): Promise<Finding> {
  const { environment, signal } = context;
  try {
    const { path, version, source } = await findNatsServer({
      setting: environment["NEX_NATS_SERVER"],
      searchPath: (environment["PATH"] ?? "").split(delimiter),
      cacheDir: natsServerCache(environment),
      environment,
      sources: ["path", "cache"],
      signal,
    });
    return { status: "ok", summary: `${version} (${path})`, details: { path, version, source } };
  } catch (error) {
    if (!(error instanceof NexError) || error.code === "ABORTED") throw error;
    if (error.code === "NATS_SERVER_UNUSABLE") {
      const fix = "Correct NEX_NATS_SERVER, or unset it to have a nats-server found";
      return { status: "failed", summary: error.message, fix };
    }
    return {
      status: "skipped",
      summary: 'none here; only "nex node up --embedded-nats" needs one, and gets it by itself',
    };
  }
}
