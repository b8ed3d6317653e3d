import { execFile } from "node:child_process";
import { findProgram } from "./find-program.ts";

/**
 * What a command line has to start with so that the program dies with the process that starts it, also after kill -9:
 * `setpriv --pdeathsig KILL --` on Linux, nothing where that does not exist (BusyBox has a setpriv without it).
 */
export function parentDeathPrefix(): Promise<readonly string[]> {
  prefix ??= process.platform === "linux" ? findPrefix() : Promise.resolve([]);
  return prefix;
}

/** A property of the host, looked for once. */
let prefix: Promise<readonly string[]> | undefined;

async function findPrefix(): Promise<readonly string[]> {
  const setpriv = await findProgram("setpriv", { path: "/usr/bin:/bin:/usr/sbin:/sbin" });
  if (setpriv === undefined) return [];
  const command = [setpriv, "--pdeathsig", "KILL", "--"];
  return (await succeeds([...command, setpriv, "--version"])) ? command : [];
}

function succeeds([program = "", ...argv]: readonly string[]): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  execFile(program, argv, { env: {}, timeout: 5000 }, (error) => resolve(error === null));
  return promise;
}
