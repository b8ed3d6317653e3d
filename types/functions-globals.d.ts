// `nex/functions/globals`: the globals of a function that neither ECMAScript nor the web has.
import type { FunctionEnvironment, HostServices } from "../dist/authoring/index.js";

declare global {
  /** What the node does for the function: HTTP, key-value, object store, messaging. */
  const hostServices: HostServices;
  /** Variables that the workload was deployed with; frozen. */
  const env: FunctionEnvironment;
}
