// The other side of the raw NATS figure: a bare nats.js subscription in a process of its own that sends back what it gets.
import { connect } from "@nats-io/transport-node";

const connection = await connect({ servers: process.argv[2] ?? "" });
connection.subscribe("raw.echo", {
  callback: (error, message) => {
    if (error === null) message.respond(message.data);
  },
});
await connection.flush();
process.send?.("ready");
