import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { NexError } from "../lib/errors.ts";
import { planConnection } from "./connection-settings.ts";
import type { ConnectionPlan, ConnectionSettings } from "./connection-settings.ts";

const servers = "nats://host";

async function identity(settings: Partial<ConnectionSettings>): Promise<Partial<ConnectionPlan>> {
  const { authentication, token } = await planConnection({ servers, ...settings });
  return { authentication, ...(token === undefined ? {} : { token }) };
}

describe("planConnection", () => {
  const none = { kind: "none" } as const;
  const joe = { kind: "user", user: "joe", password: "pw" } as const;
  const table: readonly (readonly [string, Partial<ConnectionSettings>, Partial<ConnectionPlan>])[] = [
    ["nothing", {}, { authentication: none }],
    ["user and password", { user: "joe", password: "pw" }, { authentication: joe }],
    ["an empty password", { user: "joe", password: "" }, { authentication: { ...joe, password: "" } }],
    ["a user without password as token", { user: "t0ken" }, { authentication: none, token: "t0ken" }],
    ["a token", { token: "t" }, { authentication: none, token: "t" }],
    ["user before creds", { user: "joe", password: "pw", credsFile: "c" }, { authentication: joe }],
    [
      "creds before nkey",
      { credsFile: "c", nkeyFile: "n" },
      { authentication: { kind: "creds", file: "c" } },
    ],
    ["nkey before jwt", { nkeyFile: "n", userJwt: "j" }, { authentication: { kind: "nkey", file: "n" } }],
    [
      "a jwt with seed",
      { userJwt: "j\n", userSeed: "s " },
      { authentication: { kind: "jwt", jwt: "j", seed: "s" } },
    ],
    [
      "a token besides creds",
      { credsFile: "c", token: "t" },
      { authentication: { kind: "creds", file: "c" }, token: "t" },
    ],
    ["the URL before settings", { servers: "joe:pw@h", credsFile: "c" }, { authentication: joe }],
    [
      "the URL's token before settings",
      { servers: "t@h", user: "x", password: "y" },
      { authentication: none, token: "t" },
    ],
  ];
  for (const [title, settings, expected] of table) {
    it(`takes ${title}`, async () => {
      assert.deepEqual(await identity(settings), expected);
    });
  }

  it("fills in the defaults", async () => {
    const plan = await planConnection({ servers });
    assert.deepEqual(plan, {
      servers: { urls: ["nats://host:4222"], transport: "tcp", tls: false },
      authentication: none,
      name: "nex",
      timeoutMs: 5000,
    });
  });

  for (const inboxPrefix of ["_INBOX.>", "a b", "a.*", "a..b", ".a", "a."]) {
    it(`refuses inbox prefix "${inboxPrefix}"`, async () => {
      await assert.rejects(planConnection({ servers, inboxPrefix }), { code: "USAGE" });
    });
  }
});

describe("planConnection with a context", () => {
  let home = "";
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "nex-context-"));
    await mkdir(join(home, ".config", "nats", "context"), { recursive: true });
    await mkdir(join(home, "xdg", "nats", "context"), { recursive: true });
  });
  after(async () => {
    await rm(home, { recursive: true, force: true });
  });

  async function planOf(
    content: unknown,
    settings: Partial<ConnectionSettings> = {},
  ): Promise<ConnectionPlan> {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await writeFile(join(home, ".config", "nats", "context", "mine.json"), text);
    return planConnection({ servers, context: "mine", ...settings }, { HOME: home });
  }

  it("replaces all connection settings but name and timeout", async () => {
    const plan = await planOf(
      { url: "tls://ctx", description: "d", color_scheme: "red" },
      { user: "joe", password: "pw", tls: { first: true }, name: "n", timeoutMs: 7 },
    );
    assert.deepEqual(plan, {
      servers: { urls: ["tls://ctx:4222"], transport: "tcp", tls: true },
      authentication: { kind: "none" },
      name: "n",
      timeoutMs: 7,
    });
  });

  it("understands every key, with ~ for the home directory", async () => {
    const plan = await planOf({
      url: "nats://ctx",
      creds: "~/my.creds",
      token: "t",
      cert: "/c.pem",
      key: "~/k.pem",
      ca: "ca.pem",
      nsc: "",
      jetstream_domain: "hub",
      jetstream_api_prefix: "",
      inbox_prefix: "_MY",
      socks_proxy: "",
      tls_first: true,
    });
    assert.deepEqual(plan, {
      servers: { urls: ["nats://ctx:4222"], transport: "tcp", tls: false },
      authentication: { kind: "creds", file: join(home, "my.creds") },
      token: "t",
      tls: { certFile: "/c.pem", keyFile: join(home, "k.pem"), caFile: "ca.pem", first: true },
      name: "nex",
      timeoutMs: 5000,
      inboxPrefix: "_MY",
      jetstreamDomain: "hub",
    });
  });

  it("takes a JWT and a seed from the context", async () => {
    const { authentication } = await planOf({ user_jwt: "j", user_seed: "s" });
    assert.deepEqual(authentication, { kind: "jwt", jwt: "j", seed: "s" });
  });

  it("connects to the default server when the context has no URL", async () => {
    const plan = await planOf({ url: "", user: "joe", password: "pw" });
    assert.deepEqual(plan.servers.urls, ["nats://127.0.0.1:4222"]);
    assert.deepEqual(plan.authentication, { kind: "user", user: "joe", password: "pw" });
  });

  it("looks below XDG_CONFIG_HOME first", async () => {
    await writeFile(
      join(home, "xdg", "nats", "context", "other.json"),
      JSON.stringify({ url: "nats://xdg" }),
    );
    const plan = await planConnection(
      { servers, context: "other" },
      { HOME: home, XDG_CONFIG_HOME: join(home, "xdg") },
    );
    assert.deepEqual(plan.servers.urls, ["nats://xdg:4222"]);
  });

  for (const name of ["missing", "../mine", "a/b", ".hidden", ".."]) {
    it(`knows no context "${name}"`, async () => {
      await assert.rejects(planConnection({ servers, context: name }, { HOME: home }), (error) => {
        assert.ok(error instanceof NexError);
        assert.equal(error.code, "NATS_CONTEXT_UNKNOWN");
        assert.match(error.message, /unknown context provided/);
        return true;
      });
    });
  }

  it("says so when there is no home directory", async () => {
    await assert.rejects(planConnection({ servers, context: "mine" }), {
      code: "NATS_CONTEXT_UNKNOWN",
      message: /neither XDG_CONFIG_HOME nor HOME is set/,
    });
  });

  const invalid: readonly (readonly [string, unknown, RegExp])[] = [
    ["nsc", { nsc: "nsc://O/A/U" }, /its key "nsc" is not supported; put/],
    ["socks_proxy", { socks_proxy: "socks5://p" }, /its key "socks_proxy" is not supported/],
    ["text that is not JSON", "{ url", /is not JSON/],
    ["a list", [], /content: /],
    ["a number as user", { user: 5 }, /user: /],
  ];
  for (const [title, content, reason] of invalid) {
    it(`refuses a context with ${title}`, async () => {
      await assert.rejects(planOf(content), { code: "NATS_CONTEXT_INVALID", message: reason });
    });
  }
});
