import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { goUrlFromText, goUrlToText } from "./go-url.ts";
import { readWire } from "./json.ts";
import { artifactLocation, GoUrl, locationOf, parseLocation } from "./location.ts";

const EMPTY = {
  Scheme: "",
  Opaque: "",
  User: null,
  Host: "",
  Path: "",
  RawPath: "",
  OmitHost: false,
  ForceQuery: false,
  RawQuery: "",
  Fragment: "",
  RawFragment: "",
};

const PARSED: readonly (readonly [string, Partial<GoUrl>])[] = [
  ["nats://NEXCLIFILES/echoservice", { Scheme: "nats", Host: "NEXCLIFILES", Path: "/echoservice" }],
  [
    "nats://BUCKET/a/b%2Fc?x=1#frag",
    {
      Scheme: "nats",
      Host: "BUCKET",
      Path: "/a/b/c",
      RawPath: "/a/b%2Fc",
      RawQuery: "x=1",
      Fragment: "frag",
    },
  ],
  ["nats://user:pw@BUCKET/key", { Scheme: "nats", User: {}, Host: "BUCKET", Path: "/key" }],
  ["BUCKET/key", { Path: "BUCKET/key" }],
  ["NATS://B/k", { Scheme: "nats", Host: "B", Path: "/k" }],
  ["nats://B/a%20b", { Scheme: "nats", Host: "B", Path: "/a b" }],
  ["nats://B/a b", { Scheme: "nats", Host: "B", Path: "/a b", RawPath: "/a b" }],
  ["nats://B/a!b", { Scheme: "nats", Host: "B", Path: "/a!b", RawPath: "/a!b" }],
  ["nats://B/%C3%BC", { Scheme: "nats", Host: "B", Path: "/ü" }],
  ["nats://B/ü", { Scheme: "nats", Host: "B", Path: "/ü", RawPath: "/ü" }],
  ["nats://B:4222/k", { Scheme: "nats", Host: "B:4222", Path: "/k" }],
  ["nats://[::1]:4222/k", { Scheme: "nats", Host: "[::1]:4222", Path: "/k" }],
  ["nats://B/k?", { Scheme: "nats", Host: "B", Path: "/k", ForceQuery: true }],
  ["nats:/k", { Scheme: "nats", Path: "/k", OmitHost: true }],
  ["nats:///k", { Scheme: "nats", Path: "/k" }],
  ["nats:k", { Scheme: "nats", Opaque: "k" }],
  ["//B/k", { Host: "B", Path: "/k" }],
  ["", {}],
];

test("goUrlFromText parses as Go does, and goUrlToText goes back", () => {
  for (const [text, parts] of PARSED) {
    const url = goUrlFromText(text);
    assert.deepEqual(url, { ...EMPTY, ...parts }, text);
    assert.ok(typeof url !== "string");
    assert.deepEqual(goUrlFromText(goUrlToText(url)), { ...url, RawPath: textRawPath(url) }, text);
  }
});

/** A raw path that is no valid encoding (spaces, letters beyond ASCII) is printed in the default encoding. */
function textRawPath(url: GoUrl): string {
  return /^[!-~]*$/u.test(url.RawPath) ? url.RawPath : "";
}

test("goUrlFromText refuses what Go refuses", () => {
  for (const text of [
    ":x",
    "a:b%zz",
    "nats://B/%2",
    "nats://B/%zz",
    "nats://a b/k",
    "nats://B:port/k",
    "a\nb",
    "1:2",
  ]) {
    // An opaque part is not decoded, so its escapes are not looked at.
    if (text === "a:b%zz") assert.notEqual(typeof goUrlFromText(text), "string");
    else assert.equal(typeof goUrlFromText(text), "string", text);
  }
});

test("hostile locations are refused or read quickly", () => {
  assert.equal(goUrlFromText(`nats://B/${"%41".repeat(100_000)}`), "it is too long");
  const Path = `x${"/".repeat(500_000)}x`;
  assert.equal(artifactLocation({ ...EMPTY, Host: "B", Path }).key, Path);
});

test("goUrlFromText gives a URL or a reason for any text", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.webUrl(),
        fc.string().map((text) => `nats://B/${text}`),
      ),
      (text) => {
        const url = goUrlFromText(text);
        if (typeof url !== "string") assert.equal(typeof goUrlFromText(goUrlToText(url)), "object");
      },
    ),
  );
});

test("artifacts keep their name through location and text, whatever characters it has", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (name) => {
      const key = name.replaceAll(/^\/+|\/+$/gu, "");
      fc.pre(key !== "");
      const location = locationOf({ bucket: "NEXCLIFILES", key });
      assert.deepEqual(artifactLocation(location), { bucket: "NEXCLIFILES", key });
      assert.deepEqual(artifactLocation(parseLocation(goUrlToText(location))), {
        bucket: "NEXCLIFILES",
        key,
      });
    }),
  );
});

test("artifactLocation trims slashes on both sides", () => {
  assert.deepEqual(artifactLocation(parseLocation("nats://B//a/b//")), { bucket: "B", key: "a/b" });
});

test("parseLocation refuses a location without bucket or object, without showing a password", () => {
  for (const text of ["BUCKET/key", "nats://B", "nats://B///", "nats:key", "", "nats://B/%zz"]) {
    assert.throws(() => parseLocation(text), { code: "LOCATION_INVALID" }, text);
  }
  assert.throws(
    () => parseLocation("nats://me:hush@B:x/k"),
    (error) => error instanceof Error && !error.message.includes("hush"),
  );
});

test("GoUrl reads any subset of the struct in any case, and a URL text", () => {
  assert.deepEqual(readWire(GoUrl, {}), EMPTY);
  assert.deepEqual(readWire(GoUrl, { host: "B", PATH: "/k", User: {}, Extra: 1 }), {
    ...EMPTY,
    User: {},
    Host: "B",
    Path: "/k",
  });
  assert.deepEqual(readWire(GoUrl, "nats://B/k"), { ...EMPTY, Scheme: "nats", Host: "B", Path: "/k" });
  assert.deepEqual(readWire(GoUrl, { User: { Username: "x" } }).User, {});
});

test("GoUrl names the field that is wrong", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [1, "body must be an object"],
    [null, "body must be an object"],
    [undefined, "body is missing"],
    [[], "body must be an object"],
    [{ Host: 1 }, 'field "Host" is of the wrong type'],
    [{ User: "x" }, 'field "User" is of the wrong type'],
    ["nats://B/%zz", "body is not a URL: invalid URL escape"],
  ];
  for (const [value, message] of cases)
    assert.throws(() => readWire(GoUrl, value), { code: "WIRE_INVALID", message });
});
