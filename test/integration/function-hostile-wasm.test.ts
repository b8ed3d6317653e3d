// WebAssembly functions that mean harm by way of the host services, each in a process of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runFunctionProcess } from "../support/function-process.ts";
import { buildNexModule } from "../support/nex-module.ts";
import type { CallNex } from "../support/nex-module.ts";
import { op } from "../support/wasm-builder.ts";
import type { FunctionEvent } from "./fixtures/function-process.ts";

const LIMITS = { timeoutMs: 300, memoryMiB: 32 };
const MIB = 1024 * 1024;
const TIMEOUT: FunctionEvent = ["failed", "timeout", "wasm execution timed out after 300ms"];
const FINE: FunctionEvent = ["succeeded", ""];
const MAX_PAGES = 32 * 16;

/** Does `harm` unless the subject is `fine`, which lies behind `nexfunction` and its end. */
function moduleOf(harm: (call: CallNex) => readonly number[]): Uint8Array {
  const fine = Buffer.from("fine").readInt32LE();
  return buildNexModule(
    (call) => [
      [...op.i32(200), ...op.i32(300), ...op.call(1), ...op.drop],
      op.block(
        [...op.i32(312), ...op.load(), ...op.i32(-fine), ...op.add, ...op.isZero],
        op.branchIf(0),
        harm(call),
      ),
    ],
    { data: [{ offset: 100, bytes: "hello" }] },
  );
}

const get = (call: CallNex): number[] => [...call("kv_get", 100, 5), ...op.drop];
const forever = (...body: readonly (readonly number[])[]): number[] => op.loop(...body, op.branch(0));
const grow = (pages: number): number[] => [...op.i32(pages), ...op.growMemory, ...op.drop];

interface Harm {
  readonly harm: (call: CallNex) => readonly number[];
  /** Size of the answers; without it the host never answers. */
  readonly answerBytes?: number;
}

test(
  "A WebAssembly function that abuses host services is ended, and the next invocation works",
  { concurrency: 2 },
  async (context) => {
    const cases: Readonly<Record<string, Harm>> = {
      "a call that is never answered": { harm: get },
      "a loop that catches the end of its calls": { harm: (call) => forever(op.tryAndCatchAll(get(call))) },
      "a loop of calls": { harm: (call) => forever(get(call)), answerBytes: 5 },
      "a loop of calls that never reads what is large": {
        harm: (call) => forever(get(call)),
        answerBytes: 8 * MIB,
      },
      "a loop after a call": { harm: (call) => [...get(call), ...forever()], answerBytes: 5 },
      "a loop of reading": {
        harm: (call) => [...get(call), ...forever(call("result_read", 0, 1000, 5), op.drop)],
        answerBytes: 5,
      },
      "memory that grows around calls": {
        harm: (call) => forever(get(call), grow(1)),
        answerBytes: 5,
      },
      "all of the memory, filled, and a call that is never answered": {
        harm: (call) => [
          ...grow(MAX_PAGES - 1),
          ...op.i32(0),
          ...op.i32(97),
          ...op.i32(MAX_PAGES * 65_536),
          ...op.fillMemory,
          ...get(call),
        ],
      },
      "a loop of large bodies": {
        harm: (call) => [...grow(MAX_PAGES - 1), ...forever(call("kv_set", 100, 5, 0, 8 * MIB), op.drop)],
        answerBytes: 0,
      },
    };
    const all = Object.entries(cases).map(async ([title, { harm, ...rest }]) =>
      context.test(title, async () => {
        const { events, killed } = await runFunctionProcess({
          type: "wasm",
          source: moduleOf(harm),
          limits: LIMITS,
          ...rest,
        });
        assert.deepEqual([events, killed], [[TIMEOUT, FINE, TIMEOUT, FINE], false]);
      }),
    );
    await Promise.all(all);
  },
);
