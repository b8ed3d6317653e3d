/** One run of a module as its system calls see it. */
export interface WasiProcess {
  readonly args: readonly Uint8Array[];
  readonly stdin: Uint8Array;
  stdinAt: number;
  /** Set by `proc_exit`. */
  exitCode: number | undefined;
}

/** What the system calls need from around them. */
export interface WasiHost {
  /** `NAME=value` each, encoded. */
  readonly environment: readonly Uint8Array[];
  readonly fillRandom: (target: Uint8Array) => void;
  readonly sleep: (milliseconds: number) => void;
  readonly writeError: (bytes: Uint8Array) => void;
}

/** The system calls, and the process they serve. */
export interface Wasi {
  readonly calls: Readonly<Record<string, (...values: never[]) => unknown>>;
  start(process: WasiProcess): void;
  /** Gives the process its memory; without one every call fails. */
  attach(memory: { readonly buffer: ArrayBuffer }): void;
  /** Everything written to stdout since `start`. */
  takeOutput(): Uint8Array;
  /** What `proc_exit` throws to leave the module. */
  readonly exit: object;
}

/**
 * WASI preview 1 for a command that has arguments, an environment, standard streams, clocks and random numbers, and
 * nothing else: no file, no directory, no socket. Runs inside the isolate, from its own source text: refers to
 * nothing outside its body. Numbers and layouts: the preview 1 witx of WebAssembly/WASI.
 */
export function guestWasi(host: WasiHost): Wasi {
  const OK = 0;
  const BADF = 8;
  const FAULT = 21;
  const INVAL = 28;
  const NOSPC = 51;
  const NOTDIR = 54;
  const NOTSOCK = 57;
  const NOTSUP = 58;
  const SPIPE = 70;
  const MAX_OUTPUT = 64 * 1024 * 1024;
  const KEPT_OUTPUT = 1024 * 1024;
  const exit = { kind: "exit" };

  let process: WasiProcess = { args: [], stdin: new Uint8Array(0), stdinAt: 0, exitCode: undefined };
  let memory: { readonly buffer: ArrayBuffer } = { buffer: new ArrayBuffer(0) };
  let open = [true, true, true];
  let output = new Uint8Array(16_384);
  let outputLength = 0;
  let startedAt = 0;
  let lastNow = 0;

  const view = (): DataView => new DataView(memory.buffer);
  const bytesAt = (pointer: number, length: number): Uint8Array =>
    new Uint8Array(memory.buffer, pointer >>> 0, length >>> 0);

  /** Never goes back, so that it serves as the monotonic clock too. */
  const now = (): number => (lastNow = Math.max(lastNow, Date.now()));

  const writeOutput = (bytes: Uint8Array): boolean => {
    const length = outputLength + bytes.length;
    if (length > MAX_OUTPUT) return false;
    if (length > output.length) {
      const larger = new Uint8Array(Math.max(length, output.length * 2));
      larger.set(output.subarray(0, outputLength));
      output = larger;
    }
    output.set(bytes, outputLength);
    outputLength = length;
    return true;
  };

  const writeStrings = (strings: readonly Uint8Array[], pointers: number, buffer: number): number => {
    const data = view();
    let at = buffer >>> 0;
    strings.forEach((string, index) => {
      data.setUint32((pointers >>> 0) + index * 4, at, true);
      const target = bytesAt(at, string.length + 1);
      target.set(string);
      target[string.length] = 0;
      at += string.length + 1;
    });
    return OK;
  };

  const writeSizes = (strings: readonly Uint8Array[], count: number, size: number): number => {
    const data = view();
    data.setUint32(count >>> 0, strings.length, true);
    const total = strings.reduce((sum, string) => sum + string.length + 1, 0);
    data.setUint32(size >>> 0, total, true);
    return OK;
  };

  /** The buffers of a scattered read or write. */
  const buffersAt = (vectors: number, count: number): Uint8Array[] => {
    const data = view();
    const buffers: Uint8Array[] = [];
    for (let index = 0; index < count >>> 0; index++) {
      const at = (vectors >>> 0) + index * 8;
      buffers.push(bytesAt(data.getUint32(at, true), data.getUint32(at + 4, true)));
    }
    return buffers;
  };

  const read = (fd: number, vectors: number, count: number, result: number): number => {
    if (fd !== 0 || open[0] !== true) return BADF;
    let total = 0;
    for (const buffer of buffersAt(vectors, count)) {
      const part = process.stdin.subarray(process.stdinAt, process.stdinAt + buffer.length);
      buffer.set(part);
      process.stdinAt += part.length;
      total += part.length;
    }
    view().setUint32(result >>> 0, total, true);
    return OK;
  };

  const write = (fd: number, vectors: number, count: number, result: number): number => {
    if ((fd !== 1 && fd !== 2) || open[fd] !== true) return BADF;
    let total = 0;
    for (const buffer of buffersAt(vectors, count)) {
      if (fd === 2) host.writeError(buffer.slice());
      else if (!writeOutput(buffer)) return NOSPC;
      total += buffer.length;
    }
    view().setUint32(result >>> 0, total, true);
    return OK;
  };

  const clock = (id: number): number | undefined => {
    if (id === 0) return now();
    return id > 0 && id < 4 ? now() - startedAt : undefined;
  };

  const onStream =
    (errno: number) =>
    (fd: number): number =>
      open[fd] === true ? errno : BADF;

  /** Standard streams are neither files nor terminals: type 0, and only what they are for is allowed. */
  const describe = (fd: number, result: number): number => {
    if (open[fd] !== true) return BADF;
    bytesAt(result, 24).fill(0);
    const right = fd === 0 ? 1n << 1n : 1n << 6n;
    view().setBigUint64((result >>> 0) + 8, right | (1n << 21n) | (1n << 27n), true);
    return OK;
  };

  /** Subscriptions are 48 bytes, events 32. Streams are always ready; without any, sleeps until the first clock. */
  const poll = (subscriptions: number, events: number, count: number, result: number): number => {
    if (count === 0) return INVAL;
    const data = view();
    const ready: {
      readonly at: number;
      readonly type: number;
      readonly errno: number;
      readonly bytes: number;
    }[] = [];
    const clocks: { readonly at: number; readonly wait: number }[] = [];
    for (let index = 0; index < count >>> 0; index++) {
      const at = (subscriptions >>> 0) + index * 48;
      const type = data.getUint8(at + 8);
      if (type === 0) {
        const current = clock(data.getUint32(at + 16, true));
        const timeout = Number(data.getBigUint64(at + 24, true)) / 1e6;
        const absolute = (data.getUint16(at + 40, true) & 1) === 1;
        if (current === undefined) ready.push({ at, type, errno: INVAL, bytes: 0 });
        else clocks.push({ at, wait: Math.max(0, absolute ? timeout - current : timeout) });
      } else {
        const fd = data.getUint32(at + 16, true);
        const fits = open[fd] === true && (type === 1) === (fd === 0);
        const bytes = type === 1 ? process.stdin.length - process.stdinAt : 65_536;
        ready.push({ at, type, errno: fits ? OK : BADF, bytes: fits ? bytes : 0 });
      }
    }
    if (ready.length === 0) {
      const wait = Math.min(...clocks.map((item) => item.wait));
      host.sleep(wait);
      for (const item of clocks)
        if (item.wait <= wait) ready.push({ at: item.at, type: 0, errno: OK, bytes: 0 });
    }
    ready.forEach((event, index) => {
      const at = (events >>> 0) + index * 32;
      bytesAt(at, 32).fill(0);
      data.setBigUint64(at, data.getBigUint64(event.at, true), true);
      data.setUint16(at + 8, event.errno, true);
      data.setUint8(at + 10, event.type);
      data.setBigUint64(at + 16, BigInt(event.bytes), true);
    });
    data.setUint32(result >>> 0, ready.length, true);
    return OK;
  };

  const table: Record<string, (...values: never[]) => number> = {
    args_get: (pointers: number, buffer: number) => writeStrings(process.args, pointers, buffer),
    args_sizes_get: (count: number, size: number) => writeSizes(process.args, count, size),
    environ_get: (pointers: number, buffer: number) => writeStrings(host.environment, pointers, buffer),
    environ_sizes_get: (count: number, size: number) => writeSizes(host.environment, count, size),
    clock_res_get(id: number, result: number) {
      if (clock(id) === undefined) return INVAL;
      view().setBigUint64(result >>> 0, 1_000_000n, true);
      return OK;
    },
    clock_time_get(id: number, _precision: bigint, result: number) {
      const time = clock(id);
      if (time === undefined) return INVAL;
      view().setBigUint64(result >>> 0, BigInt(time) * 1_000_000n, true);
      return OK;
    },
    fd_close(fd: number) {
      if (open[fd] !== true) return BADF;
      open[fd] = false;
      return OK;
    },
    fd_fdstat_get: describe,
    fd_filestat_get(fd: number, result: number) {
      if (open[fd] !== true) return BADF;
      bytesAt(result, 64).fill(0);
      return OK;
    },
    fd_read: read,
    fd_write: write,
    poll_oneoff: poll,
    proc_exit(code: number) {
      process.exitCode ??= code >>> 0;
      throw exit;
    },
    random_get(pointer: number, length: number) {
      host.fillRandom(bytesAt(pointer, length));
      return OK;
    },
    sched_yield: () => OK,
    fd_fdstat_set_flags: onStream(OK),
    fd_sync: onStream(OK),
    fd_datasync: onStream(OK),
    proc_raise: () => NOTSUP,
  };
  const refusals: readonly (readonly [errno: number, names: string])[] = [
    [SPIPE, "fd_seek fd_tell fd_pread fd_pwrite fd_advise fd_allocate"],
    [NOTSUP, "fd_fdstat_set_rights fd_renumber fd_filestat_set_size fd_filestat_set_times"],
    [NOTSOCK, "sock_accept sock_recv sock_send sock_shutdown"],
    [NOTDIR, "fd_readdir path_create_directory path_filestat_get path_filestat_set_times"],
    [NOTDIR, "path_open path_readlink path_remove_directory path_rename path_unlink_file path_link"],
    [BADF, "fd_prestat_get fd_prestat_dir_name"],
  ];
  for (const [errno, names] of refusals) for (const name of names.split(" ")) table[name] = onStream(errno);
  // The directory is the third argument here.
  table["path_symlink"] = (_path: number, _length: number, fd: number) => onStream(NOTDIR)(fd);

  const calls: Record<string, (...values: never[]) => unknown> = {};
  for (const [name, call] of Object.entries(table)) {
    calls[name] = (...values: never[]) => {
      try {
        return call(...values);
      } catch (error) {
        // A pointer outside of memory.
        if (error instanceof RangeError) return FAULT;
        throw error;
      }
    };
  }

  return {
    calls,
    exit,
    start(next) {
      process = next;
      open = [true, true, true];
      outputLength = 0;
      startedAt = now();
    },
    attach(next) {
      memory = next;
    },
    takeOutput() {
      const taken = output.slice(0, outputLength);
      outputLength = 0;
      if (output.length > KEPT_OUTPUT) output = new Uint8Array(16_384);
      return taken;
    },
  };
}
