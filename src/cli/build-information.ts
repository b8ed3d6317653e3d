import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Which build of Nex this is. */
export interface BuildInformation {
  readonly version: string;
  /** Commit it was built from; `development` when it runs from its sources. */
  readonly commit: string;
  /** RFC 3339 time of the build, or `unknown`. */
  readonly date: string;
}

const packageRoot = new URL("../../", import.meta.url);

/** Reads `package.json`, and `dist/build.json` (written by the build) when there is one. */
export function readBuildInformation(): BuildInformation {
  const version = textField(readJson(new URL("package.json", packageRoot)), "version") ?? "development";
  const built = import.meta.url.endsWith(".js")
    ? readJson(new URL("dist/build.json", packageRoot))
    : undefined;
  return {
    version,
    commit: textField(built, "commit") ?? "development",
    date: textField(built, "date") ?? "unknown",
  };
}

/** What `nex version` prints: `v{version} [{commit}] | Built-on: {date}`. */
export function versionText({ version, commit, date }: BuildInformation): string {
  return `v${version} [${commit}] | Built-on: ${date}`;
}

function readJson(url: URL): unknown {
  try {
    return JSON.parse(readFileSync(fileURLToPath(url), "utf8"));
  } catch {
    return undefined;
  }
}

function textField(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const field: unknown = Object.getOwnPropertyDescriptor(value, name)?.value;
  return typeof field === "string" ? field : undefined;
}
