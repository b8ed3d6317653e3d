const MAGIC = 0x184c2102;
/** Of a block, uncompressed. */
const MAX_BLOCK_BYTES = 8 * 1024 * 1024;
const MIN_MATCH = 4;

/**
 * Decompresses what `lz4 -l` makes, the format of compressed kernels: blocks after a magic number, each with its length before
 * it (lz4's doc/lz4_Frame_format.md, "Legacy frame", and lz4_Block_format.md). Throws an Error or a RangeError on other data.
 */
export function decompressLegacyLz4(data: Buffer): Buffer {
  if (data.readUInt32LE(0) !== MAGIC) throw new Error("it is no legacy lz4 frame");
  const blocks: Buffer[] = [];
  for (let at = 4; at + 4 <= data.length;) {
    const length = data.readUInt32LE(at);
    // After the last block the kernel's build appends the uncompressed size.
    if (length === 0 || at + 4 + length > data.length) break;
    blocks.push(decompressBlock(data.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

/** Sequences of literal bytes and of copies of what came before. */
function decompressBlock(block: Buffer): Buffer {
  const output = Buffer.allocUnsafe(MAX_BLOCK_BYTES);
  let at = 0;
  let end = 0;
  const longLength = (nibble: number): number => {
    let length = nibble;
    if (nibble < 15) return length;
    for (let byte = 255; byte === 255; length += byte) byte = block[at++] ?? 0;
    return length;
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = longLength(token >> 4);
    if (at + literals > block.length || end + literals > output.length)
      throw new RangeError("a block is damaged");
    for (const last = at + literals; at < last;) output[end++] = block[at++] ?? 0;
    if (at >= block.length) break;
    const distance = block.readUInt16LE(at);
    at += 2;
    const length = longLength(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > end || end + length > output.length)
      throw new RangeError("a block is damaged");
    // Byte by byte: the copy may overlap what it makes, and most are too short for anything else to be faster.
    for (const last = end + length; end < last; end++) output[end] = output[end - distance] ?? 0;
  }
  return output.subarray(0, end);
}
