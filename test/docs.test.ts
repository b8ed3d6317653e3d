// What the documents say is what the code has.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commandTable } from "../src/cli/command-table.ts";
import { ERROR_CODES } from "../src/lib/errors.ts";
import { ConfigurationFile } from "../src/node/configuration-schema.ts";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

test("docs/errors.md has one section for each error code, with its audience", () => {
  const sections = [...read("docs/errors.md").matchAll(/^## ([A-Z_]+)\n+[*_](user|system)[*_]/gm)].map(
    ([, code, audience]) => `${code} ${audience}`,
  );
  const codes = Object.entries(ERROR_CODES).map(([code, audience]) => `${code} ${audience}`);
  assert.deepEqual(sections.toSorted(), codes.toSorted());
});

test("docs/dependencies.md names every dependency of package.json with its version", () => {
  const manifest = JSON.parse(read("package.json")) as Record<string, Record<string, string>>;
  const text = read("docs/dependencies.md");
  const all = {
    ...manifest["dependencies"],
    ...manifest["optionalDependencies"],
    ...manifest["devDependencies"],
  };
  for (const [name, version] of Object.entries(all)) {
    assert.match(version, /^\d/, `${name} is pinned`);
    assert.ok(text.includes(`\`${name}\` ${version}`), `${name} ${version} is missing`);
  }
});

test("docs/configuration.md names every key of the configuration file", () => {
  const text = read("docs/configuration.md");
  const missing = Object.keys(ConfigurationFile.shape).filter((key) => !text.includes(`\`${key}`));
  assert.deepEqual(missing, []);
});

test("README.md has at most 150 lines and names every command", () => {
  const text = read("README.md");
  assert.ok(text.split("\n").length <= 151);
  const names = commandTable.flatMap((entry) =>
    entry.kind === "command" ? [entry.name] : entry.entries.map(({ name }) => `${entry.name} ${name}`),
  );
  assert.deepEqual(
    names.filter((name) => !text.includes(`nex ${name}`)),
    [],
  );
});
