import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { publicServerSpec } from "./public-nats-server.ts";
import { serverText } from "./public-server-text.ts";

describe("publicServerSpec", () => {
  it("listens everywhere on the usual port unless told otherwise", () => {
    assert.deepEqual(publicServerSpec({}), { host: "0.0.0.0", port: 4222, configText: "" });
    assert.equal(publicServerSpec({ port: 0 }).port, 4222);
    assert.equal(publicServerSpec({ port: -1 }).port, -1);
  });

  it("takes name, address and store", () => {
    assert.deepEqual(
      publicServerSpec({ server_name: "my server", addr: "::1", port: 1, jetstream: true, store_dir: "/s" }),
      { host: "::1", port: 1, configText: "", serverName: "my server", storeDirectory: "/s" },
    );
    assert.match(publicServerSpec({ jetstream: true }).storeDirectory ?? "", /nats$/);
  });
});

describe("serverText", () => {
  it("translates every key that has a counterpart", () => {
    assert.deepEqual(
      serverText({
        max_connections: 10,
        max_subscriptions: 5,
        ping_interval: 120_000_000_000,
        ping_max: 2,
        http_host: "127.0.0.1",
        http_port: 8222,
        http_base_path: "/nats",
        auth_timeout: 1.5,
        max_control_line: 4096,
        max_payload: 1,
        max_pending: 2,
        dont_listen: false,
        https_port: 0,
        tls_timeout: 0,
        cluster: { name: "c", addr: "127.0.0.1", cluster_port: -1 },
        gateway: { name: "c", addr: "127.0.0.1", port: -1 },
        leaf: { addr: "127.0.0.1", port: -1, no_advertise: true },
      }).split("\n"),
      [
        "max_connections: 10",
        "max_subscriptions: 5",
        "ping_max: 2",
        "max_control_line: 4096",
        "max_payload: 1",
        "max_pending: 2",
        'ping_interval: "120000000000ns"',
        'http: "127.0.0.1:8222"',
        'http_base_path: "/nats"',
        "authorization { timeout: 1.5 }",
        'cluster { name: "c", host: "127.0.0.1", port: -1 }',
        'gateway { name: "c", host: "127.0.0.1", port: -1 }',
        'leafnodes { host: "127.0.0.1", port: -1, no_advertise: true }',
      ],
    );
  });

  const refused = [
    ["dont_listen", { dont_listen: true }],
    ["https_port", { https_port: 8443 }],
    ["tls_timeout", { tls_timeout: 2 }],
    ["store_dir", { store_dir: "/s" }],
    ["cluster.routes", { cluster: { routes: [] } }],
    ["cluster.constructor", { cluster: { constructor: 1 } }],
    ["gateway.gateways", { gateway: { gateways: [] } }],
    ["leaf.remotes", { leaf: { remotes: [] } }],
  ] as const;
  for (const [key, settings] of refused) {
    it(`refuses ${key} by name`, () => {
      assert.throws(() => serverText(settings), {
        code: "CONFIGURATION_INVALID",
        message: new RegExp(`"public_nats_server\\.${key}" cannot be translated`),
      });
    });
  }
});
