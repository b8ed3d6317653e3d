import { setFlagsFromString } from "node:v8";
import type ivm from "isolated-vm";

/** The addon as its package exports it. */
export type IsolateEngine = typeof ivm;
/** A heap and an engine of its own. */
export type Isolate = ivm.Isolate;

/**
 * Loads the native addon. It stays outside the agent's bundle: the bundler marks `isolated-vm` as external and the
 * import is dynamic, so an agent that runs no function never loads it, and `node_modules/isolated-vm` is found from
 * the bundle's folder upwards.
 */
export async function loadIsolateEngine(): Promise<IsolateEngine> {
  const { default: engine } = await import("isolated-vm");
  return engine;
}

/**
 * Makes every JavaScript loop stoppable. Loops that V8's top tier has optimised can't be terminated by anything in
 * the process (Node 24), and memory limits don't reach them. Must come before the first isolate.
 */
export function disableTopTier(): void {
  setFlagsFromString("--no-turbofan");
}
