// `nex node preflight` against a mirror on loopback, with stand-ins for QEMU and apt-get.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { makePreflightHost, MIRRORED, whatPreflightMisses } from "../support/preflight-host.ts";
import type { PreflightHost } from "../support/preflight-host.ts";

const skip = await whatPreflightMisses();

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** Lines of what is installed in this test. */
function installedLines(host: PreflightHost, more: string): string[] {
  return [`⛔ Dependency Missing - ${more}`, `✅ Dependency Satisfied - ${LOCATIONS(host)[more]} [${more}]`];
}

const LOCATIONS = ({ path }: PreflightHost): Readonly<Record<string, string>> => ({
  "tc-redirect-tap CNI plugin": path("cni", "tc-redirect-tap"),
  "CNI Configuration": path("conf", "fcnet.conflist"),
  "VMLinux Kernel": path("resources", "vmlinux"),
  "Initial RAM Disk of the Kernel": path("resources", "initrd"),
  "Root Filesystem Template": path("resources", "rootfs.ext4"),
});

/** Nothing of what is missing was installed, not even half. */
async function assertUntouched({ path }: PreflightHost): Promise<void> {
  for (const name of ["cni", "conf", "resources", "state"]) {
    assert.deepEqual(await readdir(path(name)).catch(() => []), [], name);
  }
}

describe("nex node preflight", { skip, concurrency: 2 }, () => {
  test("installs what is missing from the mirrors, and finds all of it the next time", async () => {
    await using host = await makePreflightHost({});
    const first = await host.preflight(["--yes"]);
    assert.equal(first.code, 0, first.stderr);
    const said = lines(first.stdout);
    for (const description of Object.keys(LOCATIONS(host))) {
      const expected = installedLines(host, description);
      const at = said.indexOf(expected[0] ?? "");
      assert.deepEqual(said.slice(at, at + 2), expected);
    }
    assert.match(said.at(-1) ?? "", /^🟡 Virtualization - software emulation: /);
    assert.match(first.stderr, /^… Downloading http.*\/vmlinux$/m);
    assert.deepEqual(await readFile(host.path("resources", "vmlinux")), MIRRORED.kernel);
    assert.deepEqual(await readFile(host.path("resources", "rootfs.ext4")), MIRRORED.rootfs);
    assert.equal((await stat(host.path("cni", "tc-redirect-tap"))).mode & 0o777, 0o755);
    assert.deepEqual((await readdir(host.path("resources"))).sort(), [
      "initrd",
      "preflight.json",
      "rootfs.ext4",
      "vmlinux",
    ]);
    assert.deepEqual(await readdir(host.path("home", ".cache", "nex", "downloads")), []);

    const [asked, booted] = [host.mirror.requests.length, await host.boots()];
    assert.equal(booted.at(-1), "tcg");
    for (const args of [[], ["--check"]]) {
      const again = await host.preflight(args);
      assert.deepEqual([again.code, again.stderr], [0, ""]);
      assert.ok(
        lines(again.stdout).every((line) => /^(?:✅ Dependency Satisfied|✅ Kernel|🟡 Virt)/.test(line)),
        again.stdout,
      );
    }
    const json = JSON.parse((await host.preflight(["--json"])).stdout) as {
      readonly ok: boolean;
      readonly requirements: readonly { readonly name: string; readonly status: string }[];
      readonly virtualization: { readonly kind: string };
    };
    assert.deepEqual([json.ok, json.virtualization.kind], [true, "emulation"]);
    assert.deepEqual(
      json.requirements.map(({ name }) => name),
      [
        "host-local",
        "ptp",
        "tc-redirect-tap",
        "ip",
        "tc",
        "iptables",
        "flock",
        "qemu",
        "conflist",
        "kernel",
        "initrd",
        "rootfs",
      ],
    );
    assert.deepEqual([host.mirror.requests.length, await host.boots()], [asked, booted]);
  });

  test("--check lists what is missing, changes nothing and ends with 0", async () => {
    await using host = await makePreflightHost({});
    const { code, stdout } = await host.preflight(["--check"]);
    assert.equal(code, 0);
    for (const description of Object.keys(LOCATIONS(host))) {
      assert.ok(lines(stdout).includes(`⛔ Dependency Missing - ${description}`), stdout);
    }
    assert.equal(lines(stdout).at(-1), "🟡 Virtualization - not tried yet");
    await assertUntouched(host);
    assert.deepEqual([host.mirror.requests.length, await host.boots()], [0, []]);
    const json = await host.preflight(["--check", "--json"]);
    assert.equal(json.code, 0);
    assert.match(json.stdout, /^\{\n {2}"ok": false,/);
  });

  test("--verbose names what is validated and the directories that are searched", async () => {
    await using host = await makePreflightHost({});
    const { stdout } = await host.preflight(["--check", "--verbose"]);
    const said = lines(stdout);
    const at = said.indexOf("Validating - CNI Configuration");
    assert.deepEqual(said.slice(at, at + 3), [
      "Validating - CNI Configuration",
      `\t  🔎 Searching - ${host.path("conf")}`,
      "⛔ Dependency Missing - CNI Configuration",
    ]);
    assert.ok(said.includes(`\t  🔎 Searching - ${host.path("cni")}`));
  });

  test("asks before each installation; only y and Y go on", async () => {
    for (const [input, hint] of [
      ["n\n", /^hint: Answer with y, or .*--yes$/m],
      ["\n", /^hint: Answer with y/m],
      ["yes please\n", /^hint: Answer with y/m],
      ["", /^hint: Nobody answers on standard input; install without questions: .*--yes$/m],
      [undefined, /^hint: Nobody answers/m],
    ] as const) {
      await using host = await makePreflightHost({});
      const { code, stderr } = await host.preflight([], input === undefined ? {} : { input });
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^⛔ You are missing required dependencies for \[tc-redirect-tap CNI plugin\], do you want to install\? \[y\/N\] \nnex: error: user canceled preflight\n/,
      );
      assert.match(stderr, hint);
      await assertUntouched(host);
    }
    await using host = await makePreflightHost({});
    const { code, stderr } = await host.preflight([], { input: "y\nY\nn\n" });
    assert.equal(code, 1);
    assert.equal(stderr.match(/do you want to install\?/g)?.length, 3);
    assert.ok(
      existsSync(host.path("cni", "tc-redirect-tap")) && existsSync(host.path("conf", "fcnet.conflist")),
    );
    assert.ok(!existsSync(host.path("resources", "vmlinux")));
  });

  test("--verify reports a file that was changed, and installs it again when agreed", async () => {
    await using host = await makePreflightHost({});
    await host.preflight(["--yes"]);
    const rootfs = host.path("resources", "rootfs.ext4");
    const changed = `⛔ Dependency Changed - ${rootfs} [Root Filesystem Template]: sha256 mismatch`;
    await writeFile(rootfs, "something else");
    assert.ok(!(await host.preflight(["--check"])).stdout.includes("Changed"));
    const check = await host.preflight(["--check", "--verify", "--json"]);
    assert.match(check.stdout, /"status": "changed"/);
    const refused = await host.preflight(["--verify"], { input: "n\n" });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /\] is not what was installed, do you want to install it again\? \[y\/N\] /);
    assert.ok(lines(refused.stdout).includes(changed), refused.stdout);
    assert.equal(await readFile(rootfs, "utf8"), "something else");
    const agreed = await host.preflight(["--verify"], { input: "y\n" });
    assert.equal(agreed.code, 0, agreed.stderr);
    assert.deepEqual(await readFile(rootfs), MIRRORED.rootfs);
  });

  test("leaves files of the user alone, unless forced", async () => {
    await using host = await makePreflightHost({});
    await mkdir(host.path("cni"));
    await mkdir(host.path("conf"));
    await writeFile(host.path("conf", "fcnet.conflist"), "{}");
    await writeFile(host.path("cni", "tc-redirect-tap"), "not executable", { mode: 0o644 });
    const kept = await host.preflight(["--yes"]);
    assert.equal(kept.code, 1);
    assert.match(
      kept.stderr,
      /tc-redirect-tap" is there already .*: move it away, or replace it with --force/,
    );
    assert.equal(await readFile(host.path("cni", "tc-redirect-tap"), "utf8"), "not executable");
    await chmod(host.path("cni", "tc-redirect-tap"), 0o755);
    assert.equal((await host.preflight(["--yes"])).code, 0);
    assert.equal(await readFile(host.path("conf", "fcnet.conflist"), "utf8"), "{}");
  });

  test(
    "--force installs everything again without asking",
    { skip: process.getuid?.() === 0 ? false : "packages need root" },
    async () => {
      await using host = await makePreflightHost({});
      await writeFile(host.path("bin", "apt-get"), `#!/bin/sh\necho "$@" >> ${host.path("apt")}\n`, {
        mode: 0o755,
      });
      await host.preflight(["--yes"]);
      await writeFile(host.path("conf", "fcnet.conflist"), "{}");
      const { code, stderr } = await host.preflight(["--force"]);
      assert.equal(code, 0, stderr);
      assert.match(await readFile(host.path("conf", "fcnet.conflist"), "utf8"), /"type": "ptp"/);
      assert.match(await readFile(host.path("apt"), "utf8"), /--reinstall iproute2/);
      assert.equal(host.mirror.requests.filter(({ url }) => url === "/vmlinux").length, 2);
      assert.equal((await host.boots()).filter((accelerator) => accelerator === "tcg").length, 2);
    },
  );

  test("--cni_ns goes into a generated CNI configuration; without it the configured name servers do", async () => {
    const nameservers = async (args: readonly string[], configured: readonly string[]): Promise<unknown> => {
      await using host = await makePreflightHost({});
      host.configure({
        cni: { bin_path: [host.path("cni")], conf_path: host.path("conf"), nameservers: configured },
      });
      const { code, stderr } = await host.preflight(["--yes", ...args]);
      assert.equal(code, 0, stderr);
      const list = JSON.parse(await readFile(host.path("conf", "fcnet.conflist"), "utf8")) as {
        readonly plugins: readonly { readonly dns?: unknown }[];
      };
      return list.plugins[0]?.dns;
    };
    assert.equal(await nameservers([], []), undefined);
    assert.deepEqual(await nameservers([], ["9.9.9.9"]), { nameservers: ["9.9.9.9"] });
    assert.deepEqual(await nameservers(["--cni_ns=1.1.1.1", "--cni_ns=8.8.8.8"], ["9.9.9.9"]), {
      nameservers: ["1.1.1.1", "8.8.8.8"],
    });
  });
});
