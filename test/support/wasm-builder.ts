/**
 * Assembles small WebAssembly modules for tests: WASI commands whose code is given as instruction bytes. Opcodes:
 * the WebAssembly core specification, binary format.
 */

/** What a module is made of; everything optional. */
export interface ModuleOptions {
  /** Names of WASI functions; function indices 0, 1, … in this order. */
  readonly wasi?: readonly string[];
  /** Further imports, after those; raw type: parameters and results. */
  readonly imports?: readonly {
    readonly module: string;
    readonly name: string;
    readonly type: FunctionType;
  }[];
  /** Instructions of `_start`, without the final `end`. */
  readonly start?: readonly number[];
  /** 32-bit locals of `_start`. */
  readonly locals?: number;
  /** Pages of 64 KiB; `false` leaves the memory out. Default 1. */
  readonly memory?: { readonly initial: number; readonly maximum?: number; readonly flags?: number } | false;
  /** Imports a memory `env.memory` instead. */
  readonly importedMemory?: boolean;
  /** Initial memory. */
  readonly data?: readonly { readonly offset: number; readonly bytes: readonly number[] | string }[];
  /** Runs `_start` when the module is instantiated as well. */
  readonly startSection?: boolean;
  /** Exports; default `_start` and `memory`. */
  readonly exports?: readonly ("_start" | "memory")[];
}

type ValueType = "i32" | "i64";

/** Parameters and results of a function. */
interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Instructions, by their names in the text format; put together with `flat()`. */
export const op = {
  unreachable: [0x00],
  drop: [0x1a],
  i32: (value: number): number[] => [0x41, ...signed(value)],
  i64: (value: number): number[] => [0x42, ...signed(value)],
  call: (index: number): number[] => [0x10, ...unsigned(index)],
  getLocal: (index: number): number[] => [0x20, ...unsigned(index)],
  setLocal: (index: number): number[] => [0x21, ...unsigned(index)],
  load: (offset = 0): number[] => [0x28, 2, ...unsigned(offset)],
  store: (offset = 0): number[] => [0x36, 2, ...unsigned(offset)],
  growMemory: [0x40, 0x00],
  fillMemory: [0xfc, 0x0b, 0x00],
  add: [0x6a],
  multiply: [0x6c],
  isZero: [0x45],
  loop: (...body: readonly (readonly number[])[]): number[] => [0x03, 0x40, ...body.flat(), 0x0b],
  block: (...body: readonly (readonly number[])[]): number[] => [0x02, 0x40, ...body.flat(), 0x0b],
  tryAndCatchAll: (...body: readonly (readonly number[])[]): number[] => [
    0x06,
    0x40,
    ...body.flat(),
    0x19,
    0x0b,
  ],
  branch: (depth: number): number[] => [0x0c, ...unsigned(depth)],
  branchIf: (depth: number): number[] => [0x0d, ...unsigned(depth)],
};

/** Builds a module. */
export function buildModule(options: ModuleOptions = {}): Uint8Array {
  const imports = [
    ...(options.wasi ?? []).map((name) => ({ module: "wasi_snapshot_preview1", name, type: wasiType(name) })),
    ...(options.imports ?? []),
  ];
  const types = [...imports.map(({ type }) => type), { parameters: [], results: [] } satisfies FunctionType];
  const startIndex = imports.length;
  const memory = options.memory ?? { initial: 1 };
  const exported = options.exports ?? ["_start", "memory"];
  const importEntries = imports.map(({ module, name }, index) => [
    ...text(module),
    ...text(name),
    0x00,
    ...unsigned(index),
  ]);
  if (options.importedMemory === true)
    importEntries.push([...text("env"), ...text("memory"), 0x02, 0x00, 0x01]);
  const body = [
    ...(options.locals === undefined ? [0] : [1, ...unsigned(options.locals), 0x7f]),
    ...(options.start ?? []),
    0x0b,
  ];
  return Uint8Array.from([
    ...HEADER,
    ...section(
      1,
      types.map(({ parameters, results }) => [0x60, ...valueTypes(parameters), ...valueTypes(results)]),
    ),
    ...section(2, importEntries),
    ...section(3, [unsigned(startIndex)]),
    ...(memory === false ? [] : section(5, [memoryEntry(memory)])),
    ...section(
      7,
      exported.map((name) =>
        name === "memory" ? [...text(name), 0x02, 0x00] : [...text(name), 0x00, ...unsigned(startIndex)],
      ),
    ),
    ...(options.startSection === true ? [8, ...withLength(unsigned(startIndex))] : []),
    ...section(10, [withLength(body)]),
    ...section(
      11,
      (options.data ?? []).map(({ offset, bytes }) => [
        0x00,
        ...op.i32(offset),
        0x0b,
        ...withLength([...raw(bytes)]),
      ]),
    ),
  ]);
}

/** Four little-endian bytes: an entry of an I/O vector, for `data`. */
export function word(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}

/** Instructions that write `length` bytes from `pointer` to a file descriptor; uses bytes 0 to 12 of the memory. */
export function writeBytes(fdWrite: number, fd: number, pointer: number, length: number): number[] {
  const vector = [op.i32(0), op.i32(pointer), op.store(), op.i32(4), op.i32(length), op.store()];
  const write = [op.i32(fd), op.i32(0), op.i32(1), op.i32(8), op.call(fdWrite), op.drop];
  return [...vector, ...write].flat();
}

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

const SIGNATURES: Readonly<Record<string, readonly ValueType[]>> = {
  args_get: ["i32", "i32"],
  args_sizes_get: ["i32", "i32"],
  clock_time_get: ["i32", "i64", "i32"],
  environ_get: ["i32", "i32"],
  environ_sizes_get: ["i32", "i32"],
  fd_close: ["i32"],
  fd_prestat_get: ["i32", "i32"],
  fd_read: ["i32", "i32", "i32", "i32"],
  fd_seek: ["i32", "i64", "i32", "i32"],
  fd_write: ["i32", "i32", "i32", "i32"],
  path_open: ["i32", "i32", "i32", "i32", "i32", "i64", "i64", "i32", "i32"],
  poll_oneoff: ["i32", "i32", "i32", "i32"],
  proc_exit: ["i32"],
  random_get: ["i32", "i32"],
  sched_yield: [],
};

function wasiType(name: string): FunctionType {
  const parameters = SIGNATURES[name];
  if (parameters === undefined) throw new Error(`no signature for "${name}"`);
  return { parameters, results: name === "proc_exit" ? [] : ["i32"] };
}

function memoryEntry(memory: Exclude<ModuleOptions["memory"], false | undefined>): number[] {
  const flags = memory.flags ?? (memory.maximum === undefined ? 0 : 1);
  const maximum = memory.maximum === undefined ? [] : unsigned(memory.maximum);
  return [flags, ...unsigned(memory.initial), ...maximum];
}

function section(id: number, entries: readonly (readonly number[])[]): number[] {
  return entries.length === 0 ? [] : [id, ...withLength([...unsigned(entries.length), ...entries.flat()])];
}

function withLength(bytes: readonly number[]): number[] {
  return [...unsigned(bytes.length), ...bytes];
}

function valueTypes(types: readonly ValueType[]): number[] {
  return withLength(types.map((type) => (type === "i32" ? 0x7f : 0x7e)));
}

function text(value: string): number[] {
  return withLength([...Buffer.from(value)]);
}

function raw(bytes: readonly number[] | string): Iterable<number> {
  return typeof bytes === "string" ? Buffer.from(bytes) : bytes;
}

function unsigned(value: number): number[] {
  const low = value % 128;
  const rest = Math.floor(value / 128);
  return rest === 0 ? [low] : [low | 0x80, ...unsigned(rest)];
}

function signed(value: number): number[] {
  const low = ((value % 128) + 128) % 128;
  const rest = Math.floor(value / 128);
  const done = (rest === 0 && low < 64) || (rest === -1 && low >= 64);
  return done ? [low] : [low | 0x80, ...signed(rest)];
}
