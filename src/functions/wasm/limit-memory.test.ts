import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { buildModule } from "../../../test/support/wasm-builder.ts";
import type { ModuleOptions } from "../../../test/support/wasm-builder.ts";
import { limitMemory } from "./limit-memory.ts";

const { Module, Instance } = Reflect.get(globalThis, "WebAssembly") as {
  readonly Module: { new (bytes: Uint8Array): object; exports(module: object): unknown[] };
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: { readonly memory: { grow(pages: number): number } } };
};

/** Pages the limited module's memory can be grown to. */
function growsTo(memory: ModuleOptions["memory"], maxMiB: number): number {
  const { bytes } = limitMemory(buildModule({ memory: memory ?? { initial: 1 } }), maxMiB);
  const { exports } = new Instance(new Module(bytes), {});
  let pages = exports.memory.grow(0);
  for (let step = 4096; step >= 1; step /= 2) {
    try {
      exports.memory.grow(step);
      pages += step;
    } catch {
      // Beyond the maximum: smaller steps.
    }
  }
  return pages;
}

test("limitMemory caps a memory without maximum, and one with a larger maximum", () => {
  assert.equal(growsTo({ initial: 1 }, 1), 16);
  assert.equal(growsTo({ initial: 16, maximum: 65_536 }, 1), 16);
  assert.equal(growsTo({ initial: 200 }, 128), 2048);
});

test("limitMemory keeps a smaller maximum", () => {
  assert.equal(growsTo({ initial: 1, maximum: 3 }, 1), 3);
});

test("limitMemory leaves everything else as it is", () => {
  const module = buildModule({
    wasi: ["fd_write"],
    data: [{ offset: 8, bytes: "text" }],
    memory: { initial: 1, maximum: 1 },
  });
  assert.deepEqual(limitMemory(module, 1), { bytes: module, hasStartFunction: false });
  const withoutMemory = buildModule({ memory: false, exports: ["_start"], startSection: true });
  assert.deepEqual(limitMemory(withoutMemory, 1), { bytes: withoutMemory, hasStartFunction: true });
});

test("limitMemory refuses memories it can't limit", () => {
  const refuse = (memory: Exclude<ModuleOptions["memory"], undefined>, expected: RegExp): void => {
    assert.throws(() => limitMemory(buildModule({ memory }), 1), expected);
  };
  refuse({ initial: 17 }, /it needs 2 MiB of memory, the limit is 1 MiB/);
  refuse({ initial: 1, maximum: 2, flags: 3 }, /shared memory is not supported/);
  refuse({ initial: 1, flags: 4 }, /64-bit memory is not supported/);
  refuse({ initial: 1, flags: 8 }, /memory of an unknown kind/);
});

test("limitMemory refuses what is no module", () => {
  assert.throws(() => limitMemory(Buffer.from("(s, p) => p"), 1), /does not start like a WebAssembly module/);
  assert.throws(() => limitMemory(new Uint8Array(0), 1), RangeError);
  assert.throws(
    () => limitMemory(Buffer.from("0061736d0d000100", "hex"), 1),
    /it is a component, not a module/,
  );
  assert.throws(() => limitMemory(Buffer.from("0061736d02000000", "hex"), 1), /unknown version/);
  const truncated = buildModule({ wasi: ["fd_write"] }).subarray(0, -4);
  assert.throws(() => limitMemory(truncated, 1), /unexpected end/);
});

test("limitMemory never lets a damaged module grow beyond the limit", () => {
  const module = buildModule({ memory: { initial: 1, maximum: 100 } });
  fc.assert(
    fc.property(fc.nat({ max: module.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
      const damaged = Uint8Array.from(module);
      damaged[at] = value;
      let compiled: object;
      try {
        compiled = new Module(limitMemory(damaged, 1).bytes);
      } catch {
        return;
      }
      const { exports } = new Instance(compiled, {});
      assert.throws(() => exports.memory.grow(17));
    }),
    { numRuns: 500 },
  );
});
