import { loadTestFunction } from "./function-kit.ts";
import type { TestFunction, TestFunctionOptions } from "./function-kit.ts";
import { buildModule, op } from "./wasm-builder.ts";
import type { ModuleOptions } from "./wasm-builder.ts";

/** Parameters of the functions of the import module `nex` that tests call. */
const PARAMETERS = {
  kv_get: 2,
  kv_set: 4,
  kv_keys: 0,
  messaging_publish: 4,
  http_request: 9,
  http_status: 0,
  http_headers_read: 3,
  result_length: 0,
  result_read: 3,
} as const;

/** A function of `nex`. */
export type NexName = keyof typeof PARAMETERS;

/** Calls a function of `nex`: instructions that leave its result on the stack. */
export type CallNex = (name: NexName, ...values: readonly number[]) => number[];

/**
 * Assembles a command that calls host services. `fd_write` is function 0, `args_get` function 1.
 */
export function buildNexModule(
  start: (call: CallNex) => readonly (readonly number[])[],
  options: Omit<ModuleOptions, "wasi" | "imports" | "start"> = {},
): Uint8Array {
  const names = Object.keys(PARAMETERS) as NexName[];
  const call: CallNex = (name, ...values) => [
    ...values.flatMap((value) => op.i32(value)),
    ...op.call(2 + names.indexOf(name)),
  ];
  return buildModule({
    ...options,
    wasi: ["fd_write", "args_get"],
    imports: names.map((name) => ({
      module: "nex",
      name,
      type: { parameters: Array.from({ length: PARAMETERS[name] }, () => "i32" as const), results: ["i32"] },
    })),
    start: start(call).flat(),
  });
}

/** Where the modules of {@link loadNexModule} keep the key `hello`. */
export const KEY = 100;

/** Loads a command that calls host services, as {@link buildNexModule} makes it. */
export async function loadNexModule(
  start: (call: CallNex) => readonly (readonly number[])[],
  options: Partial<TestFunctionOptions> & { readonly module?: ModuleOptions } = {},
): Promise<TestFunction> {
  const { module, ...rest } = options;
  const source = buildNexModule(start, { data: [{ offset: KEY, bytes: "hello" }], ...module });
  return loadTestFunction({ type: "wasm", source, ...rest });
}

/** Keeps what instructions leave on the stack. */
export function keepAt(address: number, instructions: readonly number[]): number[] {
  return [...op.i32(address), ...instructions, ...op.store()];
}

/** The words that a module has written. */
export function readWords(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getInt32(index * 4, true));
}
