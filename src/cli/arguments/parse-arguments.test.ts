import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { Arguments, Flags } from "./flag.ts";
import { parseArguments } from "./parse-arguments.ts";

const directory = mkdtempSync(join(tmpdir(), "nex-test-arguments-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const file = join(directory, "arguments.txt");
writeFileSync(file, "b1\n--name\nfrom file\nb2\n");
const existing = join(directory, "existing");
writeFileSync(existing, "");

const flags = {
  name: { kind: "string", help: "", short: "n", env: "TEST_NAME" },
  level: { kind: "string", help: "", default: "info", choices: ["info", "debug"], env: "TEST_LEVEL" },
  tag: { kind: "strings", help: "", env: "TEST_TAG", short: "t" },
  quick: { kind: "boolean", help: "", short: "q", env: "TEST_QUICK" },
  stop: { kind: "boolean", help: "", negatable: true, default: true },
  "no-sandbox": { kind: "boolean", help: "" },
  port: { kind: "integer", help: "", min: -1, max: 65_535, default: 4222 },
  wait: { kind: "duration", help: "", default: "2s", env: "TEST_WAIT" },
  creds: { kind: "file", help: "" },
} as const satisfies Flags;

const defaults = {
  name: undefined,
  level: "info",
  tag: [],
  quick: false,
  stop: true,
  "no-sandbox": false,
  port: 4222,
  wait: 2000,
  creds: undefined,
};

const words: Arguments = { a: { help: "" }, rest: { help: "", required: false, repeated: true } };

function parse(
  argv: readonly string[],
  environment: Record<string, string> = {},
): ReturnType<typeof parseArguments> {
  return parseArguments(argv, { path: ["do"], flags, arguments: words, environment });
}

describe("parseArguments", () => {
  const flagTable: readonly (readonly [argv: string[], expected: Record<string, unknown>])[] = [
    [[], {}],
    [["--name", "x"], { name: "x" }],
    [["--name=x"], { name: "x" }],
    [["--name=x=y"], { name: "x=y" }],
    [["--name="], { name: "" }],
    [["--name=-v -x"], { name: "-v -x" }],
    [["--name", "-"], { name: "-" }],
    [["-n", "x"], { name: "x" }],
    [["-nx"], { name: "x" }],
    [["-n=x"], { name: "x" }],
    [["--quick"], { quick: true }],
    [["-q"], { quick: true }],
    [["--no-stop"], { stop: false }],
    [["--stop"], { stop: true }],
    [["--no-sandbox"], { "no-sandbox": true }],
    [["--tag", "a", "-tb", "--tag=c"], { tag: ["a", "b", "c"] }],
    [["--port=-1"], { port: -1 }],
    [["--wait", "1h30m"], { wait: 5_400_000 }],
    [["--creds", existing], { creds: existing }],
    [["--level", "debug"], { level: "debug" }],
    [["--name=x", "--name=x"], { name: "x" }],
  ];
  for (const [argv, expected] of flagTable) {
    const before = ["do", ...argv, "x"];
    const after = ["do", "x", ...argv];
    test(`reads ${JSON.stringify(argv)} before and after the words`, () => {
      for (const line of [before, after, [...argv, "do", "x"]]) {
        const parsed = parse(line);
        assert.deepEqual(parsed.flags, { ...defaults, ...expected });
        assert.deepEqual(parsed.arguments, { a: "x", rest: [] });
      }
    });
  }

  const failures: readonly (readonly [argv: string[], text: RegExp])[] = [
    [["x", "--nmae", "y"], /^unknown flag '--nmae' \(did you mean --name\?\)$/],
    [["x", "--bogus"], /^unknown flag '--bogus'$/],
    [["x", "-z"], /^unknown flag '-z'$/],
    [["x", "-y"], /^unknown flag '-y'$/],
    [["x", "-zone"], /^unknown flag '-z'$/],
    [["x", "-quick"], /^flag '--quick' takes no value, got 'uick'$/],
    [["x", "--no-name"], /^unknown flag '--no-name'/],
    [["x", "--no-quick"], /^unknown flag '--no-quick'/],
    [["x", "--stop=false"], /^flag '--stop' takes no value, got 'false'$/],
    [["x", "--no-stop=true"], /^flag '--stop' takes no value, got 'true'$/],
    [["x", "--name"], /^expected argument for flag '--name'$/],
    [["x", "--name", "--quick"], /^expected argument for flag '--name' \(write --name=--quick if/],
    [["x", "--name=a", "--name=b"], /^flag '--name' cannot be repeated$/],
    [["x", "--stop", "--no-stop"], /^flag '--stop' cannot be repeated$/],
    [["x", "--level=loud"], /^flag '--level' must be one of info, debug, got 'loud'$/],
    [["x", "--port=1.5"], /^flag '--port' must be a whole number, got '1\.5'$/],
    [["x", "--port=70000"], /^flag '--port' must be from -1 to 65535, got '70000'$/],
    [["x", "--wait=soon"], /^flag '--wait': invalid duration 'soon'/],
    [["x", "--wait=0s"], /^flag '--wait' must be longer than zero, got '0s'$/],
    [["x", "--creds=/no/such/file"], /^flag '--creds': path '\/no\/such\/file' does not exist$/],
    [["x", `--creds=${directory}`], /^flag '--creds': '.+' is a directory$/],
    [["x", "@/no/such/file"], /^cannot read arguments from '\/no\/such\/file'/],
    [[], /^required argument 'a' not provided$/],
  ];
  for (const [argv, text] of failures) {
    test(`refuses ${JSON.stringify(argv.slice(1))}`, () => {
      assert.throws(() => parse(["do", ...argv]), { code: "USAGE", message: text });
    });
  }

  test("refuses surplus words", () => {
    const grammar = { path: ["do"], flags, arguments: { a: { help: "" } }, environment: {} };
    assert.throws(() => parseArguments(["do", "x", "y"], grammar), { message: "unexpected argument 'y'" });
  });

  test("takes all that follows -- as words", () => {
    assert.deepEqual(parse(["do", "x", "--", "--name", "@file", "-q"]).arguments, {
      a: "x",
      rest: ["--name", "@file", "-q"],
    });
  });

  test("takes a single dash as a word", () => {
    assert.deepEqual(parse(["do", "-"]).arguments, { a: "-", rest: [] });
  });

  test("replaces @file by its lines, flags included, but not in the value of a flag", () => {
    const parsed = parse(["do", "x", `@${file}`, "--tag", "@team"]);
    assert.deepEqual(parsed.arguments, { a: "x", rest: ["b1", "b2"] });
    assert.deepEqual([parsed.flags["name"], parsed.flags["tag"]], ["from file", ["@team"]]);
  });

  test("prefers flag over environment over default, and tells the source", () => {
    const environment = {
      TEST_NAME: "e",
      TEST_LEVEL: "debug",
      TEST_TAG: "a, b",
      TEST_QUICK: "true",
      TEST_WAIT: "1s",
    };
    const parsed = parse(["do", "x", "--name=f"], environment);
    assert.deepEqual(parsed.flags, {
      ...defaults,
      name: "f",
      level: "debug",
      tag: ["a", "b"],
      quick: true,
      wait: 1000,
    });
    assert.deepEqual(
      [parsed.sources["name"], parsed.sources["level"], parsed.sources["port"]],
      ["flag", "environment", "default"],
    );
  });

  test("takes an empty variable as not set", () => {
    assert.equal(parse(["do", "x"], { TEST_LEVEL: "", TEST_QUICK: "" }).flags["level"], "info");
  });

  test("names the variable when its value is wrong", () => {
    const wrong = { TEST_LEVEL: "loud", TEST_QUICK: "maybe", TEST_WAIT: "soon" };
    for (const [name, value] of Object.entries(wrong)) {
      assert.throws(() => parse(["do", "x"], { [name]: value }), {
        code: "USAGE",
        message: new RegExp(`variable ${name}`),
      });
    }
  });

  test("demands required flags", () => {
    const grammar = {
      path: [],
      flags: { name: { kind: "string", help: "", required: true } },
      arguments: {},
      environment: {},
    } as const;
    assert.throws(() => parseArguments([], grammar), { message: "required flag --name not provided" });
  });

  test("knows no flags of Object.prototype", () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      assert.throws(() => parse(["do", "x", `--${name}`]), {
        message: new RegExp(`^unknown flag '--${name}'`),
      });
    }
  });
});
