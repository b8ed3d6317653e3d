import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketName } from "./bucket.ts";

const owner = { namespace: "default", workloadName: "shop" };

test("bucketName fills its placeholders in, in any case", () => {
  assert.equal(bucketName("hs_${namespace}_${workload_name}_kv", owner), "hs_default_shop_kv");
  assert.equal(bucketName("${NameSpace}-${WORKLOAD_NAME}-${namespace}", owner), "default-shop-default");
  assert.equal(bucketName("shared", owner), "shared");
  assert.equal(bucketName("x_${other}", owner).startsWith("x___other_"), true);
});

test("bucketName takes placeholders from the template only", () => {
  assert.match(
    bucketName("${namespace}", { ...owner, namespace: "${workload_name}" }),
    /^__workload_name__[0-9a-f]{16}$/,
  );
  assert.equal(bucketName("${namespace}", { ...owner, namespace: "$&" }).startsWith("___"), true);
});

test("bucketName makes names valid and keeps different ones apart", () => {
  const names = ["a:b", "a;b", "a_b", "é", "è", "", "x".repeat(300), `${"x".repeat(300)}y`].map((namespace) =>
    bucketName("${namespace}", { ...owner, namespace }),
  );
  for (const name of names) assert.match(name, /^[-\w]{1,240}$/);
  assert.equal(new Set(names).size, names.length);
});
