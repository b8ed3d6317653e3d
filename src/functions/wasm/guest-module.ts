import type { HostReference } from "../guest.ts";
import type { Nex } from "./guest-nex.ts";
import type { Wasi, WasiHost } from "./guest-wasi.ts";
import type { WasmInstance, WebAssemblyApi } from "./webassembly.ts";

/** What the host brings along. */
export interface ModuleHost {
  readonly bytes: Uint8Array;
  readonly environment: readonly Uint8Array[];
  /** Takes bytes of stderr, and whether the invocation is over. */
  readonly writeError: HostReference;
  /** Answers with random bytes. */
  readonly random: HostReference;
  /** Calls a host service and waits for the answer. */
  readonly call: HostReference;
  readonly prepareAhead: boolean;
  /** See `mailbox.ts`. */
  readonly mailbox: SharedArrayBuffer;
}

/** What the module's imports come from. */
export interface ModuleParts {
  readonly createWasi: (host: WasiHost) => Wasi;
  readonly createNex: (call: (call: readonly unknown[]) => unknown) => Nex;
}

/** Bytes of stdout, or a failure as `[failure, message]`. */
type ModuleReply = Uint8Array | readonly [failure: string, message: string];

/** The part that the host calls. */
export interface GuestModule {
  /** Why the module can't be used. */
  problem(): string | undefined;
  /** Whether it may call host services, and so wait for the host. */
  callsHost(): boolean;
  /** A number stands for so many bytes in the mailbox. */
  invoke(subject: string, payload: Uint8Array | number): ModuleReply | number;
  /** Instantiates for the next invocation. */
  prepare(): void;
  flush(): void;
}

/**
 * Compiles a module once and runs it as a new instance each time. Runs inside the isolate, from its own source text:
 * refers to nothing outside its body.
 */
export function guestModule({ createWasi, createNex }: ModuleParts, host: ModuleHost): GuestModule {
  const PREVIEW1 = "wasi_snapshot_preview1";
  const NEX = "nex";
  const NO_MEMORY = { buffer: new ArrayBuffer(0) };
  const MAX_ERROR = 1024 * 1024;
  const BATCH_ERROR = 16_384;
  const BATCH_MS = 10;
  // Those leave at once: what is held when the isolate is ended is lost.
  const SINGLE_WRITES = 16;
  const RANDOM_POOL = 4096;
  const options = { __proto__: null, arguments: { __proto__: null, copy: true } };

  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let sentAt = 0;
  let errorBytes = 0;
  let writes = 0;
  const send = (final: boolean): void => {
    const bytes = new Uint8Array(heldBytes);
    let at = 0;
    for (const part of held) {
      bytes.set(part, at);
      at += part.length;
    }
    held = [];
    heldBytes = 0;
    sentAt = Date.now();
    host.writeError.applyIgnored(undefined, [bytes, final], options);
  };
  const writeError = (bytes: Uint8Array): void => {
    if (errorBytes >= MAX_ERROR) return;
    errorBytes += bytes.length;
    held.push(bytes);
    heldBytes += bytes.length;
    writes += 1;
    if (writes <= SINGLE_WRITES || heldBytes > BATCH_ERROR || Date.now() - sentAt > BATCH_MS) send(false);
  };
  const flush = (): void => {
    if (errorBytes > 0) send(true);
    errorBytes = 0;
    writes = 0;
  };

  let pool = new Uint8Array(0);
  let poolAt = 0;
  const refill = (): void => {
    pool = host.random.applySync(undefined, [RANDOM_POOL], options) as Uint8Array<ArrayBuffer>;
    poolAt = 0;
  };
  const fillRandom = (target: Uint8Array): void => {
    for (let done = 0; done < target.length;) {
      if (poolAt >= pool.length) refill();
      const part = pool.subarray(poolAt, poolAt + target.length - done);
      target.set(part, done);
      part.fill(0);
      poolAt += part.length;
      done += part.length;
    }
  };

  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const sleep = (milliseconds: number): void => {
    Atomics.wait(sleeper, 0, 0, milliseconds);
  };

  const encode = (text: string): Uint8Array => {
    const escaped = encodeURIComponent(text.toWellFormed());
    const bytes: number[] = [];
    for (let at = 0; at < escaped.length; at++) {
      if (escaped.charAt(at) === "%") {
        bytes.push(parseInt(escaped.slice(at + 1, at + 3), 16));
        at += 2;
      } else bytes.push(escaped.charCodeAt(at));
    }
    return Uint8Array.from(bytes);
  };

  const wasi = createWasi({ environment: host.environment, fillRandom, sleep, writeError });
  const nex = createNex((call) => host.call.applySyncPromise(undefined, call, options));
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;
  const module = new Module(host.bytes);
  const imports: Readonly<Record<string, object>> = { [PREVIEW1]: wasi.calls, [NEX]: nex.calls };
  const program = encode("nexfunction");
  const box = new Uint8Array(host.mailbox);
  let next: WasmInstance | undefined;

  const failureOf = (error: unknown): ModuleReply => {
    const message = error instanceof Error ? error.message : "uncaught exception";
    if (/out of memory|allocate/i.test(message))
      return ["out-of-memory", `wasm execution ran out of memory: ${message}`];
    return ["trap", `wasm execution trapped: ${message}`];
  };

  return {
    problem() {
      for (const { module: from, name, kind } of Module.imports(module)) {
        const offered = Object.hasOwn(imports, from) ? imports[from] : undefined;
        if (offered !== undefined && kind === "function" && Object.hasOwn(offered, name)) continue;
        const available =
          from === NEX
            ? `it offers ${Object.keys(nex.calls).join(", ")}`
            : `functions get only WASI preview 1 and "${NEX}"`;
        return `unsupported import of ${kind} "${from}"."${name}", ${available}`;
      }
      const exported = new Map(Module.exports(module).map(({ name, kind }) => [name, kind]));
      if (exported.get("_start") !== "function")
        return 'no exported function "_start", it is not a WASI command';
      return exported.get("memory") === "memory" ? undefined : 'no exported memory "memory"';
    },
    callsHost: () => Module.imports(module).some((entry) => entry.module === NEX),
    invoke(subject, payload) {
      const stdin = typeof payload === "number" ? box.subarray(0, payload) : payload;
      const process = { args: [program, encode(subject)], stdin, stdinAt: 0, exitCode: undefined };
      const run: { exitCode: number | undefined } = process;
      wasi.start(process);
      nex.reset();
      let failure: ModuleReply | undefined;
      try {
        const instance = next ?? new Instance(module, imports);
        next = undefined;
        const { memory, _start: start } = instance.exports;
        wasi.attach(memory);
        nex.attach(memory);
        start();
      } catch (error) {
        if (error !== wasi.exit) failure = failureOf(error);
      }
      next = undefined;
      wasi.attach(NO_MEMORY);
      nex.attach(NO_MEMORY);
      nex.reset();
      const output = wasi.takeOutput();
      flush();
      const { exitCode } = run;
      if (exitCode !== undefined && exitCode !== 0)
        return ["exit-code", `wasm function exited with code ${exitCode}`];
      if (failure !== undefined && exitCode === undefined) return failure;
      if (output.length > box.length) return output;
      box.set(output);
      return output.length;
    },
    prepare() {
      if (pool.length - poolAt < RANDOM_POOL / 4) refill();
      if (host.prepareAhead) next ??= new Instance(module, imports);
    },
    flush,
  };
}
