import assert from "node:assert/strict";
import { test } from "node:test";
import { networkBootArgument } from "./virtual-machine.ts";

test("networkBootArgument has the form of protocol.md 11.2, with at most two name servers", () => {
  const network = { address: "192.168.127.2", gateway: "192.168.127.1", netmask: "255.255.255.0" };
  assert.equal(
    networkBootArgument({ ...network, nameservers: ["1.1.1.1", "9.9.9.9", "8.8.8.8"] }),
    "ip=192.168.127.2::192.168.127.1:255.255.255.0:::off:1.1.1.1:9.9.9.9:",
  );
  assert.equal(
    networkBootArgument({ ...network, nameservers: [] }),
    "ip=192.168.127.2::192.168.127.1:255.255.255.0:::off:::",
  );
});
