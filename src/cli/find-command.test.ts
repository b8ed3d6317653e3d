import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { globalFlags } from "./arguments/global-flags.ts";
import { commandTable } from "./command-table.ts";
import { findCommand } from "./find-command.ts";

function find(line: string): ReturnType<typeof findCommand> {
  return findCommand(line === "" ? [] : line.split(" "), commandTable, globalFlags);
}

describe("findCommand", () => {
  const table: readonly (readonly [line: string, name: string])[] = [
    ["version", "version"],
    ["node ls", "node ls"],
    ["nodes ls", "node ls"],
    ["yeet x.js", "devrun"],
    ["--timeout 2s node ls", "node ls"],
    ["--timeout=2s node ls", "node ls"],
    ["-s nats://x node --json ls", "node ls"],
    ["--json node ls", "node ls"],
    ["--config ./x.json node up", "node up"],
    ["node --config x.json up", "node up"],
    ["--no-sandbox node up", "node up"],
    ["node up node ls", "node up"],
    ["node", "node"],
    ["", ""],
    ["--json", ""],
  ];
  for (const [line, name] of table) {
    test(`finds "${name}" in "${line}"`, () => assert.equal(find(line).name, name));
  }

  test("finds the wish for help and for the version anywhere before --", () => {
    assert.deepEqual([find("node ls -h").helpWanted, find("--help bogus").helpWanted], [true, true]);
    assert.deepEqual([find("--version").versionWanted, find("req a -- --help").helpWanted], [true, false]);
  });

  test("refuses unknown commands and proposes a near one", () => {
    assert.throws(() => find("nod ls"), {
      code: "USAGE",
      message: "expected command but got 'nod' (did you mean node?)",
    });
    assert.throws(() => find("node bogus"), { code: "USAGE", message: "expected command but got 'bogus'" });
  });

  test("loads every command of the table, each with a summary and a description", async () => {
    const entries = commandTable.flatMap((entry) => (entry.kind === "group" ? entry.entries : [entry]));
    for (const entry of entries) {
      const command = await entry.load();
      assert.match(entry.summary, /^[A-Z].*[^.]$/);
      assert.match(command.description, /\.$/);
    }
  });

  test("no command has a flag that hides a global one", async () => {
    const entries = commandTable.flatMap((entry) => (entry.kind === "group" ? entry.entries : [entry]));
    for (const entry of entries) {
      const { flags } = await entry.load();
      const shorts = new Set(Object.values(globalFlags).map((flag) => ("short" in flag ? flag.short : "")));
      for (const [name, flag] of Object.entries(flags)) {
        assert.ok(!Object.hasOwn(globalFlags, name), `${entry.name} --${name}`);
        assert.ok(flag.short === undefined || !shorts.has(flag.short as "s"), `${entry.name} -${flag.short}`);
      }
    }
  });
});
