/** The parts of the WebAssembly JavaScript API in use; Node's types name the object but not its members. */
export interface WebAssemblyApi {
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    imports(module: WasmModule): { readonly module: string; readonly name: string; readonly kind: string }[];
    exports(module: WasmModule): { readonly name: string; readonly kind: string }[];
  };
  readonly Instance: new (module: WasmModule, imports: object) => WasmInstance;
}

/** A compiled module. */
type WasmModule = object;

/** An instance of a command: what `GuestModule.problem` has checked. */
export interface WasmInstance {
  readonly exports: { readonly memory: { readonly buffer: ArrayBuffer }; readonly _start: () => void };
}
