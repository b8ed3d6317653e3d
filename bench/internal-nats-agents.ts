// Agents of internal-nats.ts in a process of their own, as they are in machines of their own: connects those that it is told
// of, and says when each is there.
import { connectNetworkLink } from "../src/agent/network-link.ts";
import type { NetworkLinkOptions } from "../src/agent/network-link.ts";

process.on("message", (options: NetworkLinkOptions) => {
  void connect(options);
});

async function connect(options: NetworkLinkOptions): Promise<void> {
  const link = await connectNetworkLink(options);
  link.handle(`agentint.${options.id}.ping`, () => ({}));
  process.send?.(options.id);
}
