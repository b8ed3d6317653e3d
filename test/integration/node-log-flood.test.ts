import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createControlClient } from "../../src/control-api/control-client.ts";
import { collectEvents, collectLogs } from "../support/collect-events.ts";
import type { CollectedLog } from "../support/collect-events.ts";
import { descendantsWith, residentMiB } from "../support/process-status.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const noProc = process.platform === "linux" ? false : "reads memory from /proc, which only Linux has";
const LINE = "0123456789".repeat(10);
/** 200 MB in lines of 100 characters, numbered at their begin only by what `head` counts. */
const LINES = 2_000_000;
const FLOOD = `#!/bin/sh\necho first line\n/usr/bin/yes ${LINE} | /usr/bin/head -n ${LINES}\necho last line\nexec /bin/sleep 1000\n`;
const DROPPED = /^… (\d+) lines? dropped$/;

test(
  "a workload that writes 200 MB at once costs neither memory nor its neighbours, and the log counts every line",
  {
    skip: noProc,
  },
  async () => {
    await using it = await startTestNode({ configuration: { machine_pool_size: 2 } });
    const { id: calm } = await it.deploy({
      name: "calm",
      artifact: "() => 1",
      workloadType: "v8",
      triggerSubjects: ["flood.calm"],
    });
    const heap = watchMemory();
    const tally = await tallyLogs(it);
    const { id } = await it.deploy({ name: "flood", artifact: FLOOD });
    while (tally.lines + tally.dropped < LINES + 2) {
      assert.equal((await it.connection.request("flood.calm", "", { timeout: 5000 })).string(), "1");
      await heap.measure();
    }
    assert.equal(tally.first, "first line");
    assert.equal(tally.lines + tally.dropped, LINES + 2, "every line is there or counted");
    assert.ok(tally.dropped > 0 && tally.gaps < 100, `${tally.gaps} gaps`);
    assert.ok(heap.nodeMiB < 150, `the node grew by ${heap.nodeMiB} MiB`);
    assert.ok(heap.agentMiB < 200, `an agent had ${heap.agentMiB} MiB`);
    await it.stop(id, "flood");
    await it.stop(calm, "calm");
  },
);

test("lines of a burst that fits are all logged, in order, before the end is reported", async () => {
  await using it = await startTestNode();
  const logs = await collectLogs(it.connection);
  const events = await collectEvents(it.connection);
  let atEnd = -1;
  const { id } = await it.deploy({
    name: "burst",
    artifact: "#!/bin/sh\n/usr/bin/seq 1 5000\n",
  });
  await until(() => {
    if (!events.some(({ type, source }) => type === "workload_undeployed" && source.endsWith(id)))
      return false;
    atEnd = numbers(logs).length;
    return true;
  });
  assert.deepEqual(
    numbers(logs),
    Array.from({ length: 5000 }, (_, index) => index + 1),
  );
  assert.equal(atEnd, 5000);
});

test(
  "while NATS is away a flood stays bounded, and the log says what was dropped once it is back",
  {
    skip: noProc,
  },
  async () => {
    await using it = await startTestNode();
    const { id } = await it.deploy({
      name: "flood",
      artifact: FLOOD.replace("echo first", "/bin/sleep 1; echo first"),
    });
    const heap = watchMemory();
    await it.nats.stop();
    await until(
      async () => {
        await heap.measure();
        return (await descendantsWith(process.pid, "sleep\u00001000")).length > 0;
      },
      { timeoutMs: 60_000, intervalMs: 100, message: "the program never came to its end" },
    );
    await it.nats.start();
    const tally = await tallyLogs(it);
    await until(() => tally.dropped > 0, { timeoutMs: 20_000 });
    assert.ok(heap.nodeMiB < 150, `the node grew by ${heap.nodeMiB} MiB`);
    assert.ok(heap.agentMiB < 200, `an agent had ${heap.agentMiB} MiB`);
    // Requests of a connection that has not noticed the return yet are lost.
    await until(async () =>
      createControlClient({ connection: it.connection, timeoutMs: 500 }).pingNode(it.node.nodeId),
    );
    await it.stop(id, "flood");
  },
);

function numbers(logs: readonly CollectedLog[]): number[] {
  return logs.filter(({ text }) => /^\d+$/.test(text)).map(({ text }) => Number(text));
}

interface Tally {
  lines: number;
  dropped: number;
  gaps: number;
  first: string | undefined;
}

/** Counts the flood's own lines without keeping them. */
async function tallyLogs(it: TestNode): Promise<Tally> {
  const tally: Tally = { lines: 0, dropped: 0, gaps: 0, first: undefined };
  const connection = await it.nats.connect();
  connection.subscribe("$NEX.logs.default.*.flood.*", {
    callback: (error, message) => {
      if (error !== null) throw error;
      const { text } = message.json<{ text: string }>();
      const dropped = DROPPED.exec(text)?.[1];
      if (dropped !== undefined) {
        tally.dropped += Number(dropped);
        tally.gaps += 1;
      } else if (!text.startsWith("Workload ")) {
        tally.lines += 1;
        tally.first ??= text;
      }
    },
  });
  await connection.flush();
  return tally;
}

interface MemoryWatch {
  /** Growth of this process, which the node runs in. */
  nodeMiB: number;
  /** The most that an agent had. */
  agentMiB: number;
  measure(): Promise<void>;
}

function watchMemory(): MemoryWatch {
  let before: number | undefined;
  let agents: readonly number[] | undefined;
  return {
    nodeMiB: 0,
    agentMiB: 0,
    async measure() {
      const own = await residentMiB(process.pid);
      before ??= own;
      this.nodeMiB = Math.max(this.nodeMiB, own - before);
      agents ??= await descendantsWith(process.pid, join("dist", "agent.js"));
      const sizes = await Promise.all(agents.map(async (pid) => residentMiB(pid).catch(() => 0)));
      this.agentMiB = Math.max(this.agentMiB, ...sizes);
    },
  };
}
