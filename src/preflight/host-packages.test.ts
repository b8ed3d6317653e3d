import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { installCommand } from "./host-packages.ts";

test("installCommand speaks the words of the package manager that is there", async () => {
  const directory = await mkdtemp(join(tmpdir(), "nex-test-packages-"));
  try {
    assert.equal(installCommand("iproute2", [directory]), undefined);
    const asRoot = process.getuid?.() === 0 ? "" : "sudo ";
    await writeFile(join(directory, "dnf"), "");
    assert.equal(installCommand("iproute2", [directory]), `${asRoot}dnf install iproute iproute-tc`);
    await writeFile(join(directory, "apt-get"), "");
    assert.equal(
      installCommand("CNI plugins", ["/nonexistent", directory]),
      `${asRoot}apt-get install --no-install-recommends containernetworking-plugins`,
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
