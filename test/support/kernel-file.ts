import { gzipSync } from "node:zlib";

/** What a kernel file for tests has in it. Nothing boots it. */
export interface KernelFileContent {
  /** Default 6.1.0-nex. */
  readonly version?: string;
  /** Default: the one for this kind of files, 62 (x86-64). */
  readonly machine?: number;
  /** An entry of the PVH boot protocol. Default true. */
  readonly pvh?: boolean;
  /** Disk and network drivers. Default true. */
  readonly virtio?: boolean;
  /** Default true. */
  readonly ext4?: boolean;
  /** Takes devices from its command line. Default true. */
  readonly devices?: boolean;
}

const X86_64 = 62;
const NOTES_AT = 64 + 56;

/** An ELF file that looks like a kernel with everything built in, unless told otherwise. */
export function elfKernel(content: KernelFileContent = {}): Buffer {
  const { version = "6.1.0-nex", machine = X86_64, pvh = true } = content;
  const { virtio = true, ext4 = true, devices = true } = content;
  const note = pvh ? pvhNote() : Buffer.alloc(0);
  const head = Buffer.alloc(NOTES_AT);
  head.write("7f454c460201", "hex");
  head.writeUInt16LE(machine, 18);
  head.writeBigUInt64LE(64n, 32); // the program header follows
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  head.writeUInt32LE(4, 64); // of notes
  head.writeBigUInt64LE(BigInt(NOTES_AT), 64 + 8);
  head.writeBigUInt64LE(BigInt(note.length), 64 + 32);
  const texts = [
    `Linux version ${version} (nex@nex) #1`,
    ...(virtio ? ["virtio_blk.queue_depth", "virtio_net.napi_tx"] : []),
    ...(ext4 ? ["EXT4-fs (%s): mounted"] : []),
    ...(devices ? ["virtio_mmio.device"] : []),
  ];
  return Buffer.concat([head, note, Buffer.from(`${texts.join("\0")}\0`)]);
}

function pvhNote(): Buffer {
  const note = Buffer.alloc(24);
  note.writeUInt32LE(4, 0);
  note.writeUInt32LE(8, 4);
  note.writeUInt32LE(18, 8);
  note.write("Xen\0", 12, "latin1");
  return note;
}

/** The same, compressed, as the boot image that the kernel's build makes of it. */
export function bzImage(content: KernelFileContent = {}): Buffer {
  const { version = "6.1.0-nex" } = content;
  const payload = Buffer.concat([gzipSync(elfKernel(content)), Buffer.alloc(4)]);
  const setup = Buffer.alloc(2 * 512);
  setup.writeUInt8(1, 0x1f1);
  setup.write("HdrS", 0x202, "latin1");
  setup.writeUInt16LE(0x300 - 512, 0x20e);
  setup.write(`${version} (nex@nex) #1\0`, 0x300, "latin1");
  setup.writeUInt32LE(0, 0x248);
  setup.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([setup, payload]);
}
