import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderTable } from "./table.ts";
import { textWidth } from "./text-width.ts";

describe("renderTable", () => {
  test("draws the list of nodes as protocol section 10.6 shows it", () => {
    const table = renderTable({
      title: "NATS Execution Nodes",
      headers: ["ID (* = Lameduck Mode)", "Name", "Version", "Workloads"],
      rows: [
        ["NBTAFHAKW7XKOA7N5JY5LEMOBVZ3WGVDFR2ZW7WSXQYDVHFDJDRWKU5P*", "brave-lynx", "0.2.7", 0],
        ["NBXHUHG5FGYLPD6RHL2MKWMP572O6KUXCZXDZJXS4T57ZTMAKBN7C574", "quiet-otter", "0.2.7", 2],
      ],
    });
    assert.equal(
      table,
      `
╭───────────────────────────────────────────────────────────────────────────────────────────────╮
│                                      NATS Execution Nodes                                     │
├───────────────────────────────────────────────────────────┬─────────────┬─────────┬───────────┤
│ ID (* = Lameduck Mode)                                    │ Name        │ Version │ Workloads │
├───────────────────────────────────────────────────────────┼─────────────┼─────────┼───────────┤
│ NBTAFHAKW7XKOA7N5JY5LEMOBVZ3WGVDFR2ZW7WSXQYDVHFDJDRWKU5P* │ brave-lynx  │ 0.2.7   │         0 │
│ NBXHUHG5FGYLPD6RHL2MKWMP572O6KUXCZXDZJXS4T57ZTMAKBN7C574  │ quiet-otter │ 0.2.7   │         2 │
╰───────────────────────────────────────────────────────────┴─────────────┴─────────┴───────────╯`.slice(1),
    );
  });

  test("draws an odd rest of space before the title, as protocol section 10.7 shows it", () => {
    const table = renderTable({
      title: "Discovered Workloads",
      headers: ["ID", "Name", "Type", "Namespace", "Node Name"],
      rows: [["cpv0k3752omq9k2v7g10", "echoservice", "native", "default", "quiet-otter"]],
    });
    assert.equal(
      table,
      `
╭───────────────────────────────────────────────────────────────────────╮
│                          Discovered Workloads                         │
├──────────────────────┬─────────────┬────────┬───────────┬─────────────┤
│ ID                   │ Name        │ Type   │ Namespace │ Node Name   │
├──────────────────────┼─────────────┼────────┼───────────┼─────────────┤
│ cpv0k3752omq9k2v7g10 │ echoservice │ native │ default   │ quiet-otter │
╰──────────────────────┴─────────────┴────────┴───────────┴─────────────╯`.slice(1),
    );
  });

  test("keeps title and header of an empty table", () => {
    assert.equal(
      renderTable({ title: "T", headers: ["A", "B"], rows: [] }),
      ["╭───────╮", "│   T   │", "├───┬───┤", "│ A │ B │", "├───┼───┤", "╰───┴───╯"].join("\n"),
    );
  });

  test("keeps every line equally wide with a title wider than the rows, wide letters and hostile cells", () => {
    const table = renderTable({
      title: "A title that is wider than all of its columns",
      headers: ["A", "B"],
      rows: [
        ["日本語", 12],
        ["🟢", 3],
        ["e\u0301vil\u001b[2J\nname", 4],
      ],
    });
    const widths = table.split("\n").map(textWidth);
    assert.equal(widths.length, 9);
    assert.deepEqual(
      new Set(widths),
      new Set([textWidth("A title that is wider than all of its columns") + 4]),
    );
  });
});

describe("renderTable in a terminal", () => {
  const nodeId = "NBXHUHG5FGYLPD6RHL2MKWMP572O6KUXCZXDZJXS4T57ZTMAKBN7C574";
  const table = {
    title: "Nodes",
    headers: ["ID", "Name", "Workloads"],
    rows: [[nodeId, "quiet-otter", 2]],
    shorten: [0, 1],
  };

  test("shortens nothing where there is room", () => {
    assert.equal(renderTable(table, 86), renderTable(table));
    assert.match(renderTable(table), new RegExp(`│ ${nodeId} │ quiet-otter │         2 │`));
  });

  test("takes the middle out of the first column that may be shortened, by as much as needed", () => {
    const lines = renderTable(table, 60).split("\n");
    assert.deepEqual(
      lines.map((line) => textWidth(line)),
      lines.map(() => 60),
    );
    assert.equal(lines[5], "│ NBXHUHG5FGYLPD6…57ZTMAKBN7C574 │ quiet-otter │         2 │");
  });

  test("makes blocks of lines of rows that do not fit however short", () => {
    assert.equal(
      renderTable(table, 36),
      `Nodes

           ID: NBXHUHG5FG…MAKBN7C574
         Name: quiet-otter
    Workloads: 2`,
    );
  });
});
