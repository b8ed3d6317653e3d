/**
 * What functions do not have: the modules of Node.js. An import of one is an error that names what to use instead. A
 * library that only tries one (`require` inside of it) is bundled with a stand-in that throws when it is reached.
 */
import { isBuiltin } from "node:module";
import { isAbsolute } from "node:path";
import type { Message, OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from "esbuild";

const STAND_IN = "nex-missing-builtin";
const NOTHING = "nex-nothing";
/** Marks our own question to the bundler, so that we do not answer it ourselves. */
const ASKED: unique symbol = Symbol("asked");

const INSTEAD: Readonly<Record<string, string>> = {
  assert: "throw an Error",
  buffer: "use Uint8Array, TextEncoder and TextDecoder, atob and btoa",
  child_process: "programs run as services: deploy the executable",
  console: "use the global console",
  crypto: "use the global crypto",
  dns: "use hostServices.http, which resolves names",
  events: 'use an npm package ("npm install events")',
  fs: "keep data in hostServices.kv or hostServices.objectStore",
  http: "use fetch or hostServices.http",
  https: "use fetch or hostServices.http",
  net: "use hostServices.messaging or hostServices.http; a service has sockets",
  os: "pass what the function needs as variables of its environment (env)",
  path: 'use an npm package ("npm install path-browserify")',
  perf_hooks: "use Date.now()",
  process: "use env for variables; there are no arguments and no exit",
  querystring: "use the global URLSearchParams",
  timers: "use the global setTimeout",
  tls: "use fetch or hostServices.http with an https URL",
  url: "use the globals URL and URLSearchParams",
  util: "use the globals TextEncoder, TextDecoder and structuredClone",
  worker_threads:
    "messages run side by side by themselves: trigger another function with hostServices.messaging",
};

/** Answers imports of Node's modules. A package of the same name that is installed comes first. */
export const nodeBuiltins: Plugin = {
  name: "nex-node-builtins",
  setup: (build) => {
    build.onResolve({ filter: /^(?:node:|[a-z_0-9]+(?:\/|$))/ }, async (asked) => resolve(build, asked));
    build.onLoad({ filter: /.*/, namespace: NOTHING }, () => ({ contents: "module.exports = {};" }));
    build.onLoad({ filter: /.*/, namespace: STAND_IN }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(missingText(path))});`,
    }));
  },
};

async function resolve(build: PluginBuild, asked: OnResolveArgs): Promise<OnResolveResult | undefined> {
  const { path, kind, importer, resolveDir, namespace } = asked;
  if (asked.pluginData === ASKED || !isBuiltin(path)) return undefined;
  if (!path.startsWith("node:")) {
    const installed = await build.resolve(path, { kind, importer, resolveDir, namespace, pluginData: ASKED });
    // A package that does without it in browsers maps it to nothing.
    if (installed.errors.length === 0 && !isAbsolute(installed.path)) return { path, namespace: NOTHING };
    if (installed.errors.length === 0) return installed;
  }
  const message: Partial<Message> = {
    text: missingText(path),
    notes: [{ text: insteadOf(path), location: null }],
  };
  const attempt = kind !== "import-statement" && importer.includes("node_modules");
  return attempt ? { path, namespace: STAND_IN, warnings: [message] } : { errors: [message] };
}

function missingText(path: string): string {
  return `"${path}" is a module of Node.js, which functions do not have`;
}

function insteadOf(path: string): string {
  const [name = ""] = path.replace("node:", "").split("/");
  const instead = INSTEAD[name] ?? "use host services and the globals of the web, or deploy a service";
  return `Instead of "${path}": ${instead}`;
}
