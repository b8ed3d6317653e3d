import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfiguration } from "./configuration.ts";
import { messagingRefusal } from "./messaging-policy.ts";

const configuration = parseConfiguration(
  {
    no_sandbox: true,
    deny_trigger_subjects: ["secret.>"],
    host_services: {
      namespaces: {
        shop: { publish: ["orders.*", "$KV.shared.>", "secret.x"], request: [] },
        "*": { request: ["public.>"] },
      },
    },
  },
  "test",
);

test("messagingRefusal closes the deny list and foreign buckets to everybody", () => {
  const refusal = messagingRefusal(
    parseConfiguration({ no_sandbox: true, deny_trigger_subjects: ["secret.>"] }, "test"),
    "any",
  );
  for (const subject of [
    "$NEX.PING",
    "$SYS.REQ.x",
    "$JS.API.INFO",
    "secret.a",
    "$KV.hs_other_x_kv.key",
    "$O.b.M.x",
  ]) {
    assert.match(refusal("publish", subject) ?? "", /deny list|may not publish to/, subject);
    assert.match(refusal("request", subject) ?? "", /deny list|may not request/, subject);
  }
  for (const subject of ["a", "secret", "secrets.a", "$NEXT.x", "$SRV.PING"])
    assert.equal(refusal("publish", subject), undefined, subject);
});

test("messagingRefusal narrows what a namespace may send, and never opens the deny list", () => {
  const shop = messagingRefusal(configuration, "shop");
  assert.equal(shop("publish", "orders.new"), undefined);
  assert.equal(shop("publish", "$KV.shared.key"), undefined);
  assert.match(shop("publish", "secret.x") ?? "", /deny list/);
  assert.equal(shop("publish", "orders.new.x"), "Namespace shop may not publish to the subject orders.new.x");
  assert.equal(shop("request", "orders.new"), "Namespace shop may not request the subject orders.new");
  const other = messagingRefusal(configuration, "other");
  assert.equal(other("publish", "anything"), undefined);
  assert.equal(other("request", "public.x"), undefined);
  assert.notEqual(other("request", "private.x"), undefined);
});
