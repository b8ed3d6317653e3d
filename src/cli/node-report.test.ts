import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InfoReply } from "../control-api/index.ts";
import { renderNodeReport } from "./node-report.ts";

const nodeId = "NBXHUHG5FGYLPD6RHL2MKWMP572O6KUXCZXDZJXS4T57ZTMAKBN7C574";

const info: InfoReply = {
  version: "0.2.7",
  uptime: "8m47s",
  public_xkey: "XBO75XJ3NPKH635CR3QV3FU5LOYOUU3XJVEIXWXZ34OG4AJEWPXSFWVH",
  tags: { simple: "true", "nex.os": "linux", "nex.arch": "amd64", "nex.cpucount": "8" },
  memory: { total: 63_883_232, free: 33_545_884, available: 56_529_348 },
  machines: [
    {
      id: "cpv0k3752omq9k2v7g10",
      healthy: true,
      uptime: "8m47s",
      namespace: "default",
      workload: {
        name: "echoservice",
        description: "Workload published in devmode",
        runtime: "8m47s",
        type: "native",
        hash: "5e88",
      },
    },
    {
      id: "cpv0k8n52omq9k2v7g1g",
      healthy: true,
      uptime: "1m0s",
      namespace: "default",
      workload: { name: "echofunctionjs", runtime: "12ms", type: "v8", hash: "0123" },
    },
  ],
};

const head = `NEX Node Information

       Node: NBXHUHG5FGYLPD6RHL2MKWMP572O6KUXCZXDZJXS4T57ZTMAKBN7C574
       Xkey: XBO75XJ3NPKH635CR3QV3FU5LOYOUU3XJVEIXWXZ34OG4AJEWPXSFWVH
    Version: 0.2.7
     Uptime: 8m47s
       Tags: nex.arch=amd64, nex.cpucount=8, nex.os=linux, simple=true`;

const memory = `Memory in kB:

         Free: 33,545,884
    Available: 56,529,348
        Total: 63,883,232`;

describe("renderNodeReport", () => {
  test("draws the table as protocol section 10.8 shows it", () => {
    assert.equal(
      renderNodeReport(nodeId, info, { form: "table" }),
      `${head}

${memory}

╭──────────────────────────────────────────────────────╮
│                       Workloads                      │
├────┬──────────────────────┬────────────────┬─────────┤
│    │ ID                   │ NAME           │ RUNTIME │
├────┼──────────────────────┼────────────────┼─────────┤
│ 🟢 │ cpv0k3752omq9k2v7g10 │ echoservice    │ 8m47s   │
│ 🟢 │ cpv0k8n52omq9k2v7g1g │ echofunctionjs │ 12ms    │
╰────┴──────────────────────┴────────────────┴─────────╯`,
    );
  });

  test("lists the workloads as the documentation does", () => {
    assert.equal(
      renderNodeReport(nodeId, info),
      `${head}

${memory}

Workloads:

             Id: cpv0k3752omq9k2v7g10
        Healthy: true
        Runtime: 8m47s
           Name: echoservice
    Description: Workload published in devmode

             Id: cpv0k8n52omq9k2v7g1g
        Healthy: true
        Runtime: 12ms
           Name: echofunctionjs
    Description:`,
    );
  });

  test("adds namespace, type and hash in full", () => {
    const report = renderNodeReport(nodeId, info, { form: "full" });
    assert.match(report, /\n {6}Namespace: default\n {11}Type: native\n {11}Hash: 5e88\n/);
  });

  test("leaves the memory out where a node does not know it, and says that nothing runs", () => {
    const { memory: _, ...rest } = info;
    assert.equal(renderNodeReport(nodeId, { ...rest, machines: [] }), `${head}\n\nWorkloads:\n\n    none`);
  });

  test("lets no node write to the terminal", () => {
    const report = renderNodeReport(nodeId, { ...info, version: "\u001b[2J0.2.7\nTags: forged" });
    assert.match(report, /\n {4}Version: 0\.2\.7 Tags: forged\n/);
  });

  test("shows restarts and the last exit where there were some, trigger subjects and no restarts with full", () => {
    const [machine] = info.machines;
    assert.ok(machine);
    const report = (more: Partial<typeof machine.workload>, form: "list" | "full"): string =>
      renderNodeReport(
        nodeId,
        { ...info, machines: [{ ...machine, workload: { ...machine.workload, ...more } }] },
        { form },
      );
    const last_exit = { code: 1, reason: "exited", time: "2024-07-03T09:46:40Z" };
    assert.match(
      report({ restarts: 2, last_exit }, "list"),
      /\n +Restarts: 2\n +Last Exit: exited \(code 1, 2024-07-03T09:46:40Z\)$/,
    );
    assert.doesNotMatch(
      report({ restarts: 0, trigger_subjects: ["a"] }, "list"),
      /Restarts|Trigger|Last Exit/,
    );
    assert.match(
      report({ restarts: 0, trigger_subjects: ["a", "b.*"] }, "full"),
      /\n +Trigger Subjects: a, b\.\*\n +Restarts: 0$/,
    );
  });

  test("shows in full how a function is run", () => {
    const [, machine] = info.machines;
    assert.ok(machine);
    const workload = { ...machine.workload, fresh: true, concurrency: 4, instances: 2 };
    const machines = [{ ...machine, workload }];
    assert.match(
      renderNodeReport(nodeId, { ...info, machines }, { form: "full" }),
      /\n +Fresh: every invocation\n +Instances: 2 of at most 4$/,
    );
    assert.doesNotMatch(renderNodeReport(nodeId, { ...info, machines }), /Fresh|Instances/);
  });

  test("breaks a long list of tags after a comma in a terminal", () => {
    const tags = { a: "1".repeat(20), b: "2".repeat(20), c: "3" };
    const report = renderNodeReport(nodeId, { ...info, tags }, { columns: 60 });
    assert.match(report, /\n {7}Tags: a=1{20}, b=2{20},\n {13}c=3\n/);
  });
});
