// The system calls as plain functions over a buffer; how modules use them is tested in load-wasm-function.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { guestWasi } from "./guest-wasi.ts";
import type { Wasi, WasiProcess } from "./guest-wasi.ts";

const BADF = 8;
const FAULT = 21;
const INVAL = 28;

interface Machine {
  readonly wasi: Wasi;
  readonly process: WasiProcess;
  readonly memory: DataView;
  readonly slept: number[];
  readonly errors: string[];
  call(name: string, ...values: (number | bigint)[]): unknown;
  bytes(pointer: number, length: number): number[];
}

function start(stdin = "", environment: readonly string[] = []): Machine {
  const slept: number[] = [];
  const errors: string[] = [];
  const wasi = guestWasi({
    environment: environment.map((entry) => Buffer.from(entry)),
    fillRandom: (target) => target.fill(9),
    sleep: (milliseconds) => slept.push(milliseconds),
    writeError: (bytes) => errors.push(Buffer.from(bytes).toString()),
  });
  const buffer = new ArrayBuffer(65_536);
  const args = [Buffer.from("nexfunction"), Buffer.from("js.écho")];
  const process: WasiProcess = { args, stdin: Buffer.from(stdin), stdinAt: 0, exitCode: undefined };
  wasi.start(process);
  wasi.attach({ buffer });
  return {
    wasi,
    process,
    slept,
    errors,
    memory: new DataView(buffer),
    call: (name, ...values) => wasi.calls[name]?.(...(values as never[])),
    bytes: (pointer, length) => [...new Uint8Array(buffer, pointer, length)],
  };
}

/** Writes I/O vectors at 1000 for the given buffers. */
function vectors(
  machine: Machine,
  ...buffers: readonly (readonly [pointer: number, length: number])[]
): void {
  buffers.forEach(([pointer, length], index) => {
    machine.memory.setUint32(1000 + index * 8, pointer, true);
    machine.memory.setUint32(1004 + index * 8, length, true);
  });
}

test("WASI hands arguments and environment over as C strings", () => {
  const machine = start("", ["A=1", "B=x y"]);
  assert.equal(machine.call("args_sizes_get", 0, 4), 0);
  assert.deepEqual([machine.memory.getUint32(0, true), machine.memory.getUint32(4, true)], [2, 21]);
  assert.equal(machine.call("args_get", 0, 100), 0);
  assert.deepEqual([machine.memory.getUint32(0, true), machine.memory.getUint32(4, true)], [100, 112]);
  assert.equal(Buffer.from(machine.bytes(100, 21)).toString(), "nexfunction\0js.écho\0");
  machine.call("environ_sizes_get", 0, 4);
  assert.deepEqual([machine.memory.getUint32(0, true), machine.memory.getUint32(4, true)], [2, 10]);
  machine.call("environ_get", 0, 200);
  assert.equal(Buffer.from(machine.bytes(200, 10)).toString(), "A=1\0B=x y\0");
});

test("WASI reads stdin through several buffers, to its end", () => {
  const machine = start("heya you");
  vectors(machine, [0, 2], [100, 3]);
  assert.equal(machine.call("fd_read", 0, 1000, 2, 500), 0);
  assert.equal(machine.memory.getUint32(500, true), 5);
  assert.equal(Buffer.from([...machine.bytes(0, 2), ...machine.bytes(100, 3)]).toString(), "heya ");
  machine.call("fd_read", 0, 1000, 2, 500);
  assert.equal(machine.memory.getUint32(500, true), 3);
  machine.call("fd_read", 0, 1000, 2, 500);
  assert.equal(machine.memory.getUint32(500, true), 0);
});

test("WASI collects all of stdout and keeps stderr apart", () => {
  const machine = start();
  new Uint8Array(machine.memory.buffer).set(Buffer.from("onetwo"), 100);
  vectors(machine, [100, 3], [103, 3]);
  assert.equal(machine.call("fd_write", 1, 1000, 2, 500), 0);
  assert.equal(machine.memory.getUint32(500, true), 6);
  assert.equal(machine.call("fd_write", 2, 1000, 1, 500), 0);
  machine.call("fd_write", 1, 1000, 1, 500);
  assert.equal(Buffer.from(machine.wasi.takeOutput()).toString(), "onetwoone");
  assert.equal(machine.wasi.takeOutput().length, 0);
  assert.deepEqual(machine.errors, ["one"]);
});

test("WASI collects more than fits its first buffer, and refuses endless output", () => {
  const machine = start();
  vectors(machine, [0, 65_536]);
  for (let times = 0; times < 1024; times++) assert.equal(machine.call("fd_write", 1, 1000, 1, 500), 0);
  assert.equal(machine.call("fd_write", 1, 1000, 1, 500), 51);
  assert.equal(machine.wasi.takeOutput().length, 64 * 1024 * 1024);
});

test("WASI answers pointers outside of memory with EFAULT", () => {
  const machine = start("heya");
  assert.equal(machine.call("fd_read", 0, 65_535, 1, 0), FAULT);
  assert.equal(machine.call("fd_write", 1, -8, 1, 0), FAULT);
  assert.equal(machine.call("args_get", -4, 0), FAULT);
  assert.equal(machine.call("random_get", 65_000, 65_000), FAULT);
  vectors(machine, [65_000, 65_000]);
  assert.equal(machine.call("fd_write", 1, 1000, 1, 500), FAULT);
  assert.equal(machine.call("poll_oneoff", 65_530, 0, 1, 0), FAULT);
});

test("WASI knows the standard streams only", () => {
  const machine = start();
  for (const name of [
    "fd_close",
    "fd_fdstat_get",
    "fd_filestat_get",
    "fd_read",
    "fd_write",
    "fd_seek",
    "fd_prestat_get",
  ]) {
    assert.equal(machine.call(name, 3, 0, 0, 0), BADF, name);
  }
  assert.equal(machine.call("path_open", 3, 0, 0, 0, 0, 0n, 0n, 0, 0), BADF);
  assert.equal(machine.call("fd_prestat_get", 0, 0), BADF);
  assert.equal(machine.call("fd_seek", 1, 0n, 0, 0), 70);
  assert.equal(machine.call("fd_read", 1, 1000, 1, 0), BADF);
  assert.equal(machine.call("fd_close", 0), 0);
  assert.equal(machine.call("fd_read", 0, 1000, 1, 0), BADF);
  assert.equal(machine.call("fd_close", 0), BADF);
});

test("WASI describes a standard stream as neither file nor terminal", () => {
  const machine = start();
  new Uint8Array(machine.memory.buffer).fill(255, 0, 32);
  assert.equal(machine.call("fd_fdstat_get", 1, 0), 0);
  assert.equal(machine.memory.getUint8(0), 0);
  assert.equal(machine.memory.getBigUint64(8, true) & 64n, 64n);
  assert.equal(machine.memory.getUint8(24), 255);
});

test("WASI has the real time and a clock that never goes back", () => {
  const machine = start();
  const before = BigInt(Date.now()) * 1_000_000n;
  assert.equal(machine.call("clock_time_get", 0, 0n, 0), 0);
  const after = BigInt(Date.now()) * 1_000_000n;
  const time = machine.memory.getBigUint64(0, true);
  assert.ok(time >= before && time <= after);
  assert.equal(machine.call("clock_time_get", 1, 0n, 0), 0);
  assert.ok(machine.memory.getBigUint64(0, true) < 60_000_000_000n);
  assert.equal(machine.call("clock_res_get", 1, 0), 0);
  assert.equal(machine.memory.getBigUint64(0, true), 1_000_000n);
  assert.equal(machine.call("clock_time_get", 7, 0n, 0), INVAL);
  assert.equal(machine.call("clock_res_get", 7, 0), INVAL);
});

test("WASI fills with the host's random bytes", () => {
  const machine = start();
  assert.equal(machine.call("random_get", 10, 4), 0);
  assert.deepEqual(machine.bytes(9, 6), [0, 9, 9, 9, 9, 0]);
});

test("WASI leaves through proc_exit with the first code", () => {
  const machine = start();
  assert.throws(
    () => machine.call("proc_exit", 7),
    (thrown) => thrown === machine.wasi.exit,
  );
  assert.throws(() => machine.call("proc_exit", 0));
  assert.equal(machine.process.exitCode, 7);
});

test("WASI polls: sleeps for the first clock, streams are ready at once", () => {
  const machine = start("heya");
  const clock = (at: number, userdata: bigint, nanoseconds: bigint, flags = 0): void => {
    machine.memory.setBigUint64(at, userdata, true);
    machine.memory.setUint32(at + 16, 1, true);
    machine.memory.setBigUint64(at + 24, nanoseconds, true);
    machine.memory.setUint16(at + 40, flags, true);
  };
  clock(2000, 11n, 50_000_000n);
  clock(2048, 12n, 20_000_000n);
  assert.equal(machine.call("poll_oneoff", 2000, 3000, 2, 500), 0);
  assert.deepEqual(machine.slept, [20]);
  assert.equal(machine.memory.getUint32(500, true), 1);
  assert.equal(machine.memory.getBigUint64(3000, true), 12n);
  clock(2000, 13n, 0n, 1);
  machine.call("poll_oneoff", 2000, 3000, 1, 500);
  assert.deepEqual(machine.slept, [20, 0]);

  machine.memory.setUint8(2048 + 8, 1);
  machine.memory.setUint32(2048 + 16, 0, true);
  assert.equal(machine.call("poll_oneoff", 2000, 3000, 2, 500), 0);
  assert.deepEqual(machine.slept, [20, 0]);
  assert.equal(machine.memory.getUint32(500, true), 1);
  assert.deepEqual([machine.memory.getUint8(3010), machine.memory.getBigUint64(3016, true)], [1, 4n]);
  assert.equal(machine.call("poll_oneoff", 2000, 3000, 0, 500), INVAL);
});
