import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { describe, it } from "node:test";
import { cannotRunEchoService, startEchoProcess } from "./examples-echo-process.ts";

/** A server made by hand that treats each connection as `serve` likes. */
async function startPeer(serve: (socket: Socket) => void, host = "127.0.0.1") {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    serve(socket);
  });
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const INFO =
  'INFO {"server_id":"x","nested":{"max_payload":1,"s":"}\\"{"},"max_payload":1048576,"headers":true}\r\n';

/** Shakes hands like a server, then calls `ready` with everything the service said so far. */
function shakeHands(socket: Socket, ready: (said: string) => void): void {
  let said = "";
  const listen = (chunk: Buffer): void => {
    said += chunk.toString("latin1");
    if (!said.endsWith("PING\r\n")) return;
    socket.off("data", listen);
    socket.write("PONG\r\n");
    ready(said);
  };
  socket.on("data", listen);
  socket.write(INFO);
}

/** Resolves when what came after `ready` ends with `text`. */
function heard(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    socket.on("data", (chunk: Buffer) => {
      said += chunk.toString("latin1");
      if (said.endsWith(text)) resolve(said);
    });
  });
}

async function hasIpv6(): Promise<boolean> {
  const server = createServer().listen(0, "::1");
  return Promise.race([
    once(server, "listening").then(() => {
      server.close();
      return true;
    }),
    once(server, "error").then(() => false),
  ]).catch(() => false);
}

describe("Echo service with a peer that is no NATS server", { skip: cannotRunEchoService }, () => {
  const greetings: Record<string, readonly [string | Buffer, RegExp]> = {
    "speaks HTTP": ["HTTP/1.1 400 Bad Request\r\n\r\n", /an operation is unknown/],
    "sends an empty line": ["\r\n", /a line is empty/],
    "sends zero bytes": [Buffer.concat([Buffer.alloc(100), Buffer.from("\r\n")]), /control character/],
    "never ends a line": ["INFO ".padEnd(70_000, "x"), /a line is too long/],
    "announces a giant": [`${INFO}MSG a 1 r 99999999999\r\n`, /cannot be/],
    "announces a size beyond all numbers": [`${INFO}MSG a 1 r 99999999999999999999999\r\n`, /cannot be/],
    "announces a negative size": [`${INFO}MSG a 1 r -1\r\n`, /cannot be/],
    "announces headers longer than the message": [`${INFO}HMSG a 1 r 12 4\r\n`, /cannot be/],
    "sends too many arguments": [`${INFO}MSG a 1 r 1 2 3 4 5 6 7\r\n`, /wrong number of arguments/],
    "sends too few arguments": [`${INFO}MSG a\r\n`, /wrong number of arguments/],
    "ends a message elsewhere": [`${INFO}MSG a 1 r 1\r\nabcd\r\n`, /does not end where it said/],
    "requires TLS": ['INFO { "tls_required" : true }\r\n', /requires TLS/],
    "sends escapes for the terminal": ["-ERR '\u001b[2J\u0007'\r\n", /the server says '\?\[2J\?'/],
    "hangs up": ["", /closed the connection/],
  };
  for (const [name, [greeting, problem]] of Object.entries(greetings)) {
    it(`ends with 1 and says why when the peer ${name}`, async () => {
      await using peer = await startPeer((socket) => {
        if (greeting === "") socket.end();
        else socket.write(greeting);
      });
      await using echo = startEchoProcess({ NATS_URL: `nats://127.0.0.1:${peer.port}` });
      const { code, stderr } = await echo.exit;
      assert.equal(code, 1);
      assert.match(stderr, problem);
    });
  }

  it("keeps messages together that arrive byte by byte, and answers PING", async () => {
    const replied = Promise.withResolvers<string>();
    await using peer = await startPeer((socket) => {
      socket.setNoDelay(true);
      shakeHands(socket, () => {
        heard(socket, "PONG\r\n").then(replied.resolve, replied.reject);
        const script =
          "MSG svc.echo 1 reply.a 5\r\nhello\r\nmsg\tsvc.echo  1   0\r\n\r\nHMSG svc.echo 1 reply.b 12 16\r\nNATS/1.0\r\n\r\nbody\r\nMSG x 99 reply.c 1\r\nx\r\n+OK\r\nPING\r\n";
        let at = 0;
        const next = (): void => {
          if (at < script.length) socket.write(script.charAt(at++), next);
        };
        next();
      });
    });
    await using echo = startEchoProcess({ NATS_URL: `127.0.0.1:${peer.port}` });
    await echo.serving;
    assert.equal(await replied.promise, "PUB reply.a 5\r\nhello\r\nPUB reply.b 4\r\nbody\r\nPONG\r\n");
  });

  it("subscribes to its endpoint in the queue group and to the nine discovery subjects", async () => {
    const greeted = Promise.withResolvers<string>();
    await using peer = await startPeer((socket) => {
      shakeHands(socket, greeted.resolve);
    });
    await using echo = startEchoProcess({ NATS_URL: `nats://127.0.0.1:${peer.port}` });
    await echo.serving;
    const [connect = "", ...lines] = (await greeted.promise).split("\r\n");
    const options = JSON.parse(connect.replace("CONNECT ", ""));
    assert.deepEqual(
      [options.verbose, options.pedantic, options.headers, options.user],
      [false, false, true, undefined],
    );
    assert.equal(lines[0], "SUB svc.echo q 1");
    const id = /^SUB \$SRV\.PING\.EchoService\.(\w{22}) 4$/.exec(lines[3] ?? "")?.[1];
    const discovery = ["PING", "INFO", "STATS"].flatMap((verb) =>
      ["", ".EchoService", `.EchoService.${id}`].map((suffix) => `$SRV.${verb}${suffix}`),
    );
    assert.deepEqual(
      lines.slice(1, 10),
      discovery.map((subject, index) => `SUB ${subject} ${index + 2}`),
    );
  });

  it("does not answer with more than the server's max_payload", async () => {
    const replied = Promise.withResolvers<string>();
    await using peer = await startPeer((socket) => {
      shakeHands(socket, () => {
        heard(socket, "PONG\r\n").then(replied.resolve, replied.reject);
        socket.write('INFO {"max_payload":3}\r\nMSG svc.echo 1 r 4\r\nlong\r\nMSG svc.echo 1 r 3\r\nfit\r\n');
        socket.write(
          'MSG $SRV.PING 2 r 0\r\n\r\nINFO {"max_payload":4096}\r\nMSG $SRV.STATS 8 s 0\r\n\r\nPING\r\n',
        );
      });
    });
    await using echo = startEchoProcess({ NATS_URL: `nats://127.0.0.1:${peer.port}` });
    await echo.serving;
    const said = await replied.promise;
    assert.match(said, /^PUB r 3\r\nfit\r\nPUB s \d+\r\n/);
    assert.match(said, /"num_requests":2,"num_errors":1,"last_error":"[^"]*maximum payload exceeded"/);
  });

  it("reconnects after nonsense in the middle, to the next server of its list", async () => {
    await using bad = await startPeer((socket) => {
      shakeHands(socket, () => socket.write("MSG svc.echo 1 r 0\r\nno end"));
    });
    const replied = Promise.withResolvers<string>();
    await using good = await startPeer((socket) => {
      shakeHands(socket, () => {
        heard(socket, "PUB r 2\r\nok\r\n").then(replied.resolve, replied.reject);
        socket.write("MSG svc.echo 1 r 2\r\nok\r\n");
      });
    });
    await using echo = startEchoProcess({ NATS_URL: `127.0.0.1:${bad.port},127.0.0.1:${good.port}` });
    await echo.serving;
    await echo.stderrLine(/^Lost the connection to .*does not end where it said$/);
    await echo.stderrLine(/^Serving again on /);
    assert.equal(await replied.promise, "PUB r 2\r\nok\r\n");
    echo.kill("SIGINT");
  });

  it("loses nothing when the peer sends far more than it reads for a while", async () => {
    const [count, size, unread] = [200, 100_000, 40];
    const wanted = count * (`PUB r ${size}\r\n`.length + size + 2);
    const received = Promise.withResolvers<number>();
    await using peer = await startPeer((socket) => {
      shakeHands(socket, () => {
        let bytes = 0;
        socket.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes >= wanted) received.resolve(bytes);
        });
        socket.pause();
        const message = Buffer.from(`MSG svc.echo 1 r ${size}\r\n${"x".repeat(size)}\r\n`);
        for (let sent = 1; sent <= count; sent++) {
          socket.write(message, () => {
            if (sent === unread) socket.resume();
          });
        }
      });
    });
    await using echo = startEchoProcess({ NATS_URL: `nats://127.0.0.1:${peer.port}` });
    assert.equal(await Promise.race([received.promise, echo.exit]), wanted);
  });

  it("connects to an IPv6 address", async (test) => {
    if (!(await hasIpv6())) {
      test.skip("this host has no IPv6 loopback");
      return;
    }
    await using peer = await startPeer((socket) => {
      shakeHands(socket, () => undefined);
    }, "::1");
    await using echo = startEchoProcess({ NATS_URL: `nats://u:p@[::1]:${peer.port}` });
    assert.match(await echo.serving, new RegExp(`'nats://\\[::1\\]:${peer.port}'`));
  });
});

describe("Echo service with a NATS_URL that cannot be", { skip: cannotRunEchoService }, () => {
  const urls: Record<string, RegExp> = {
    "tls://127.0.0.1": /only nats:\/\//,
    "nats://wss://127.0.0.1": /only nats:\/\//,
    "nats://secret:hush@": /the host is missing/,
    "nats://secret:hush@host:": /port is not between/,
    "nats://secret:hush@host:0": /port is not between/,
    "nats://secret:hush@host:99999": /port is not between/,
    "nats://secret:hush@host:42x": /port is not a number/,
    "nats://secret:hu%zz@host": /badly escaped/,
    "nats://secret:hu%0@host": /badly escaped/,
    "nats://secret:hu%00@host": /badly escaped/,
    "nats://secret:hush@[::1": /closing bracket/,
    "nats://secret:hush@[::1]x": /text follows/,
    "nats://secret:hush@ho st": /character that does not belong/,
    ",,": /names no server/,
    [`nats://${"h".repeat(300)}`]: /host is too long/,
    [`nats://${"s".repeat(3000)}:x@h`]: /too long/,
    [Array.from({ length: 17 }, () => "h").join(",")]: /more than 16/,
  };
  for (const [url, problem] of Object.entries(urls)) {
    it(`ends with 1 and does not quote it: ${url.slice(0, 40)}`, async () => {
      await using echo = startEchoProcess({ NATS_URL: url });
      const { code, stdout, stderr } = await echo.exit;
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /^Cannot read NATS_URL: /);
      assert.match(stderr, problem);
      assert.doesNotMatch(stderr, /secret|hush/);
    });
  }
});
