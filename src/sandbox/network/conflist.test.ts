import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defaultConflist, loadConflist, parseConflist } from "./conflist.ts";

const OPTIONS = { networkName: "fcnet", subnet: "192.168.127.0/24", gateway: "192.168.127.1" };

test("defaultConflist is the list of the protocol", () => {
  assert.deepEqual(defaultConflist({ ...OPTIONS, nameservers: ["1.1.1.1"] }), {
    name: "fcnet",
    cniVersion: "0.4.0",
    plugins: [
      {
        type: "ptp",
        ipMasq: true,
        dns: { nameservers: ["1.1.1.1"] },
        ipam: { type: "host-local", subnet: "192.168.127.0/24", resolvConf: "/etc/resolv.conf" },
      },
      { type: "tc-redirect-tap" },
    ],
  });
  const [ptp] = defaultConflist(OPTIONS).plugins;
  assert.equal("dns" in (ptp ?? {}), false);
});

test("defaultConflist names a gateway that is not the first address", () => {
  const [ptp] = defaultConflist({ ...OPTIONS, gateway: "192.168.127.254" }).plugins;
  assert.deepEqual(ptp?.["ipam"], {
    type: "host-local",
    subnet: "192.168.127.0/24",
    gateway: "192.168.127.254",
    resolvConf: "/etc/resolv.conf",
  });
});

test("parseConflist takes the default list, with plugins between", () => {
  const list = defaultConflist(OPTIONS);
  const longer = { ...list, plugins: list.plugins.toSpliced(1, 0, { type: "bandwidth", ingressRate: 1 }) };
  assert.deepEqual(parseConflist(JSON.stringify(longer)), longer);
});

test("parseConflist refuses lists that the rules would not hold for, and plugins outside of the search path", () => {
  const refused = (plugins: unknown, message: RegExp): void => {
    const text = JSON.stringify({ name: "n", cniVersion: "0.4.0", plugins });
    assert.throws(() => parseConflist(text), { message });
  };
  refused([{ type: "bridge" }, { type: "tc-redirect-tap" }], /first plugin is "bridge"; it must be "ptp"/);
  refused([{ type: "ptp" }], /last plugin is "ptp"; it must be "tc-redirect-tap"/);
  refused([{ type: "../ptp" }], /^plugins\.0\.type: /);
  refused([], /^plugins: /);
});

test("loadConflist reads the file, says what is wrong with it, and does without", async () => {
  const confDirectory = mkdtempSync(join(tmpdir(), "nex-conflist-"));
  try {
    assert.deepEqual(await loadConflist({ ...OPTIONS, confDirectory }), defaultConflist(OPTIONS));
    const other = defaultConflist({ ...OPTIONS, subnet: "10.1.0.0/16", gateway: "10.1.0.1" });
    const file = join(confDirectory, "fcnet.conflist");
    writeFileSync(file, JSON.stringify(other));
    assert.deepEqual(await loadConflist({ ...OPTIONS, confDirectory }), other);
    writeFileSync(file, "{");
    await assert.rejects(loadConflist({ ...OPTIONS, confDirectory }), /fcnet\.conflist" cannot be used: /);
  } finally {
    rmSync(confDirectory, { recursive: true });
  }
});
