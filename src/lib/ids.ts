import { createHash, randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { BASE32_HEX, encodeBase32 } from "./base32.ts";

const machineId = createHash("sha256").update(hostname()).digest().subarray(0, 3);
let counter = randomBytes(3).readUIntBE(0, 3);

/**
 * A new workload id: an xid, 20 lower-case characters of the base32-hex alphabet over 4 bytes Unix seconds, 3 bytes
 * machine, 2 bytes process id, 3 bytes counter. Unique in a process; peers treat it as opaque.
 */
export function createWorkloadId(now: Date = new Date()): string {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(Math.floor(now.getTime() / 1000) >>> 0, 0);
  machineId.copy(bytes, 4);
  bytes.writeUInt16BE(process.pid & 0xffff, 7);
  counter = (counter + 1) & 0xffffff;
  bytes.writeUIntBE(counter, 9, 3);
  return encodeBase32(bytes, BASE32_HEX);
}
