import { JetStreamApiError } from "@nats-io/jetstream";
import { errorText } from "../../lib/errors.ts";
import { DEVELOPER_BUCKET, DEVELOPER_BUCKET_BYTES } from "../devrun/upload.ts";
import type { Finding, Patient } from "./check.ts";
import { BUCKET_STREAM, openManager } from "./jetstream-check.ts";

const STREAM_NOT_FOUND = 10_059;

/** Of a bucket, what may be taken before it counts as full. */
const FULL = 0.95;

/**
 * The bucket that `devrun` uploads to: how full it is, or whether it can be made. It is not made to find that out: the
 * account's limits tell, and the permission to make it is another check.
 */
export async function checkBucket(patient: Patient): Promise<Finding> {
  const manager = await openManager(patient);
  try {
    const { config, state } = await manager.streams.info(BUCKET_STREAM);
    const details = { bucket: DEVELOPER_BUCKET, bytes: state.bytes, limit_bytes: config.max_bytes };
    const size = `${DEVELOPER_BUCKET} holds ${mebibytes(state.bytes)} of ${mebibytes(config.max_bytes)}`;
    if (config.max_bytes > 0 && state.bytes > config.max_bytes * FULL) {
      const fix = `Remove objects from bucket ${DEVELOPER_BUCKET} ("nats object del"), or remove the bucket: "nex devrun" makes it again`;
      return { status: "failed", summary: size, fix, details };
    }
    return { status: "ok", summary: size, details };
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) {
      return {
        status: "failed",
        summary: `cannot look at bucket ${DEVELOPER_BUCKET}: ${errorText(error)}`,
        fix: "See what is wrong with JetStream and the permissions above",
      };
    }
  }
  const { limits, storage } = await manager.getAccountInfo();
  const room = limits.max_storage < 0 ? Number.POSITIVE_INFINITY : limits.max_storage - storage;
  if (room < DEVELOPER_BUCKET_BYTES) {
    return {
      status: "failed",
      summary: `bucket ${DEVELOPER_BUCKET} would not fit: ${mebibytes(room)} of storage are left, it takes ${mebibytes(DEVELOPER_BUCKET_BYTES)}`,
      fix: `Make a smaller one with the first "nex devrun --bucketmaxbytes=${Math.max(1, Math.floor(room / 2))}", or raise the storage limit`,
    };
  }
  return { status: "ok", summary: `${DEVELOPER_BUCKET} is made by the first "nex devrun"` };
}

function mebibytes(bytes: number): string {
  return bytes < 0 ? "any size" : `${(bytes / (1024 * 1024)).toFixed(1)} MiB`;
}
