import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A metadata service, version 2, as strict as Firecracker's. */
export interface MetadataPeer extends AsyncDisposable {
  readonly url: string;
  /** `PUT /latest/api/token`, `GET /`, … in the order they came. */
  readonly requests: readonly string[];
  /** What is answered from now on; `undefined`: there is no document yet. */
  store(document: string | undefined): void;
}

export async function startMetadataPeer(
  options: { readonly host?: string; readonly port?: number } = {},
): Promise<MetadataPeer> {
  const { host = "127.0.0.1", port = 0 } = options;
  const requests: string[] = [];
  const tokens = new Set<string>();
  let stored: string | undefined;
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const end = (status: number, body = ""): void => void response.writeHead(status).end(body);
    if (request.method === "PUT" && request.url === "/latest/api/token") {
      const seconds = Number(request.headers["x-metadata-token-ttl-seconds"]);
      if (!(seconds >= 1 && seconds <= 21_600)) return end(400);
      const token = `token-${requests.length}==`;
      tokens.add(token);
      return end(200, token);
    }
    if (request.method !== "GET" || request.url !== "/") return end(404);
    if (!tokens.has(String(request.headers["x-metadata-token"]))) return end(401);
    if (request.headers.accept !== "application/json") return end(406);
    return stored === undefined ? end(404) : end(200, stored);
  });
  server.listen(port, host);
  await once(server, "listening");
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    requests,
    store: (document) => {
      stored = document;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
