// Measures round trips to subjects in turns, in a process of its own, and sends the times of each in µs: `SERVER REQUESTS SUBJECT…`.
import { connect } from "@nats-io/transport-node";

const WARM_UP = 100;
const PAYLOAD = new Uint8Array(64).fill(0x61);

const [servers = "", requests = "", ...subjects] = process.argv.slice(2);
const connection = await connect({ servers });
const times = subjects.map((): number[] => []);
for (let i = -WARM_UP; i < Number(requests); i++) {
  for (const [index, subject] of subjects.entries()) {
    const startedAt = performance.now();
    await connection.request(subject, PAYLOAD, { timeout: 20_000 });
    if (i >= 0) times[index]?.push((performance.now() - startedAt) * 1000);
  }
}
process.send?.(times);
await connection.close();
process.disconnect?.();
