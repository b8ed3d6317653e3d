import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { natsServerConfiguration } from "./server-configuration.ts";

describe("natsServerConfiguration", () => {
  it("listens on a free port of the loopback interface by default", () => {
    assert.equal(natsServerConfiguration({ binary: "b" }, "/d"), 'host: "127.0.0.1"\nport: -1\n\n');
  });

  it("writes name, store and further configuration, quoted", () => {
    const text = natsServerConfiguration(
      {
        binary: "b",
        host: "0.0.0.0",
        port: 4222,
        serverName: " my  nex\tserver ",
        storeDirectory: '/data/"x"\\y',
        configText: "max_payload: 2MB",
      },
      "/d",
    );
    assert.deepEqual(text.trim().split("\n"), [
      'host: "0.0.0.0"',
      "port: 4222",
      'server_name: "my-nex-server"',
      String.raw`jetstream: { store_dir: "/data/\"x\"\\y" }`,
      "max_payload: 2MB",
    ]);
  });

  it("puts a temporary store below the server's own directory", () => {
    assert.match(
      natsServerConfiguration({ binary: "b", storeDirectory: "temporary" }, "/d"),
      /store_dir: "\/d\/store"/,
    );
  });
});
