// What `nex node preflight` says about hosts with Firecracker, with a stand-in for it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { canOpenKvm } from "../../src/sandbox/kvm.ts";
import { makePreflightHost, whatPreflightMisses } from "../support/preflight-host.ts";

const skip = (await whatPreflightMisses()) || ((await canOpenKvm()) ? false : "cannot open /dev/kvm");

describe("nex node preflight on a host with Firecracker", { skip, concurrency: 2 }, () => {
  test("boots a guest in it, without QEMU, and does not again while nothing changes", async () => {
    await using host = await makePreflightHost({ qemu: null, firecracker: "boots" });
    for (const sandbox of ["firecracker", "auto"]) {
      host.configure({ sandbox });
      const check = await host.preflight(["--check"]);
      const first = await host.preflight(["--yes"]);
      assert.equal(first.code, 0, first.stderr);
      assert.match(first.stdout, /^✅ Kernel - .*: Firecracker can boot it/m);
      assert.match(first.stdout, /\n✅ Virtualization - KVM boots a guest\n$/);
      assert.match(
        check.stdout,
        sandbox === "auto" ? /✅ Virtualization/ : /🟡 Virtualization - not tried yet/,
      );
      assert.deepEqual(await host.boots(), ["firecracker"]);
    }
  });

  test("one in which no guest boots is refused with the next step; --check only tells", async () => {
    await using host = await makePreflightHost({ firecracker: "does not boot" });
    host.configure({ sandbox: "firecracker" });
    const { code, stdout, stderr } = await host.preflight(["--yes"]);
    assert.equal(code, 1);
    assert.match(stdout, /^✅ Dependency Satisfied - .*\/bin\/firecracker \[Firecracker VM binary\]$/m);
    assert.match(
      stdout,
      /^⛔ Virtualization - Firecracker boots no guest: .*exit code 1 \(Error creating KVM object\)$/m,
    );
    assert.match(stderr, /^hint: .*"sandbox": "qemu"/m);
    const check = await host.preflight(["--check"]);
    assert.equal(check.code, 0);
    assert.match(check.stdout, /^⛔ Virtualization - Firecracker boots no guest: /m);
    assert.deepEqual(await host.boots(), ["firecracker"]);
    // The host may have been busy: whoever asks again is not told what was.
    assert.equal((await host.preflight(["--yes"])).code, 1);
    assert.deepEqual(await host.boots(), ["firecracker", "firecracker"]);
  });

  test("with either monitor allowed, QEMU is tried after it", async () => {
    await using host = await makePreflightHost({ firecracker: "does not boot" });
    host.configure({ sandbox: "auto" });
    const { code, stdout, stderr } = await host.preflight(["--yes"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^🟡 Virtualization - software emulation: /m);
    assert.deepEqual(await host.boots(), ["firecracker", "kvm", "kvm", "tcg"]);
  });
});
