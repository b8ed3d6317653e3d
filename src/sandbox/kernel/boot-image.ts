import { errorText } from "../../lib/errors.ts";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { decompressLegacyLz4 } from "./legacy-lz4.ts";

/** Offsets in the setup header (the kernel's Documentation/x86/boot.rst). */
const SETUP_SECTORS = 0x1f1;
const SIGNATURE = 0x202;
const VERSION_POINTER = 0x20e;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const SECTOR = 512;

export function isBootImage(image: Buffer): boolean {
  return image.length > PAYLOAD_LENGTH + 4 && image.toString("latin1", SIGNATURE, SIGNATURE + 4) === "HdrS";
}

/** `6.1.0-50-cloud-amd64 (…) #1 SMP …` */
export function bootImageVersion(image: Buffer): string {
  const start = image.readUInt16LE(VERSION_POINTER) + SECTOR;
  return image.toString("latin1", start, image.indexOf(0, start));
}

/**
 * The uncompressed kernel (ELF) inside a bzImage, which is what Firecracker boots.
 *
 * Throws an Error when its compression is none of gzip, zstd and lz4.
 */
export function uncompressedKernel(image: Buffer): Buffer {
  const start = (image.readUInt8(SETUP_SECTORS) + 1) * SECTOR + image.readUInt32LE(PAYLOAD_OFFSET);
  const payload = image.subarray(start, start + image.readUInt32LE(PAYLOAD_LENGTH));
  try {
    return decompress(payload);
  } catch (cause) {
    throw new Error(`it cannot be unpacked: ${errorText(cause)}`, { cause });
  }
}

function decompress(payload: Buffer): Buffer {
  const magic = payload.toString("hex", 0, 4);
  // The build appends the uncompressed size.
  const body = payload.subarray(0, -4);
  if (magic.startsWith("1f8b")) return gunzipSync(body);
  if (magic === "28b52ffd") return zstdDecompressSync(body);
  if (magic === "02214c18") return decompressLegacyLz4(body);
  throw new Error(`its compression (${magic}) is none of gzip, zstd and lz4`);
}
