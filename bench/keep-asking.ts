// Keeps requests to a subject under way until it is killed, in a process of its own: `SERVER SUBJECT REQUESTS`.
import { connect } from "@nats-io/transport-node";

const [servers = "", subject = "", requests = "1"] = process.argv.slice(2);
const connection = await connect({ servers });
await connection.flush();
process.send?.("ready");
await Promise.all(
  Array.from({ length: Number(requests) }, async () => {
    for (;;) await connection.request(subject, "", { timeout: 20_000 }).catch(() => {});
  }),
);
