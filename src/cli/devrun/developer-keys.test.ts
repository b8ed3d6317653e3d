import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { keepDeveloperKeys } from "./developer-keys.ts";

async function temporaryHome(): Promise<AsyncDisposable & { readonly keys: string }> {
  const home = await mkdtemp(join(tmpdir(), "nex-test-keys-"));
  return { keys: join(home, ".nex"), [Symbol.asyncDispose]: async () => rm(home, { recursive: true }) };
}

async function mode(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

describe("keepDeveloperKeys", () => {
  test("makes both keys on first use, readable by the owner only, and reuses them", async () => {
    await using home = await temporaryHome();
    const first = await keepDeveloperKeys(home.keys);
    const second = await keepDeveloperKeys(home.keys);
    assert.match(first.issuer.key.publicKey, /^A[A-Z2-7]{55}$/);
    assert.match(first.publisher.key.publicKey, /^X[A-Z2-7]{55}$/);
    assert.deepEqual(
      [first.issuer.created, second.issuer.created, second.publisher.created],
      [true, false, false],
    );
    assert.equal(second.issuer.key.publicKey, first.issuer.key.publicKey);
    assert.equal(second.publisher.key.publicKey, first.publisher.key.publicKey);
    assert.deepEqual(
      await Promise.all([mode(home.keys), mode(first.issuer.path), mode(first.publisher.path)]),
      [0o700, 0o600, 0o600],
    );
    assert.match(await readFile(first.issuer.path, "utf8"), /^SA[A-Z2-7]{56}$/);
  });

  test("agrees on one key when started many times at once, and leaves no drafts", async () => {
    await using home = await temporaryHome();
    const all = await Promise.all(Array.from({ length: 8 }, async () => keepDeveloperKeys(home.keys)));
    assert.equal(new Set(all.map(({ issuer }) => issuer.key.publicKey)).size, 1);
    assert.equal(all.filter(({ issuer }) => issuer.created).length, 1);
    assert.deepEqual((await readdir(home.keys)).sort(), ["issuer.nk", "publisher.xk"]);
  });

  test("tightens what others can read", async () => {
    await using home = await temporaryHome();
    const { issuer } = await keepDeveloperKeys(home.keys);
    await chmod(issuer.path, 0o770);
    await chmod(home.keys, 0o770);
    await keepDeveloperKeys(home.keys);
    assert.deepEqual(await Promise.all([mode(home.keys), mode(issuer.path)]), [0o700, 0o600]);
  });

  test("names a file that holds no seed, and not its content", async () => {
    await using home = await temporaryHome();
    const { issuer } = await keepDeveloperKeys(home.keys);
    await writeFile(issuer.path, "SECRET");
    await assert.rejects(keepDeveloperKeys(home.keys), (error: Error) => {
      assert.match(error.message, /^Cannot use key file ".*issuer\.nk": /);
      assert.doesNotMatch(error.message, /SECRET/);
      return true;
    });
  });
});
