// What an agent must not be able to do on the internal NATS server: each test tries it.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { headers } from "@nats-io/transport-node";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { createSigningKey, signingKeyFromSeed } from "../../src/control-api/keys.ts";
import type { SigningKey } from "../../src/control-api/keys.ts";
import type { InternalAgent } from "../../src/internal-nats/start-internal-nats.ts";
import {
  connectBare,
  connectWith,
  describeInternalNats,
  startTestInternalNats,
} from "../support/internal-nats.ts";
import type { TestInternalNats } from "../support/internal-nats.ts";
import { until } from "../support/until.ts";

let nats: TestInternalNats;
let [attacker, victim]: InternalAgent[] = [];
/** Bare clients with the keys of either agent, and everything that the victim may see. */
let attack: NatsConnection;
let seen: Msg[];
let attackErrors: string[];
let ids = { attacker: "", victim: "" };
let round = 0;

await describeInternalNats((authentication) => {
  before(async () => {
    nats = await startTestInternalNats(authentication);
  });
  after(async () => nats[Symbol.asyncDispose]());

  beforeEach(async (context) => {
    round += 1;
    ids = { attacker: `attacker${round}`, victim: `victim${round}` };
    const stack = new AsyncDisposableStack();
    if ("after" in context) context.after(async () => stack.disposeAsync());
    [attacker, victim] = await Promise.all([nats.addAgent(ids.attacker), nats.addAgent(ids.victim)]);
    for (const agent of [attacker, victim]) stack.use(agent ?? assert.fail());
    attack = await connectBare(nats, seedOf(attacker));
    stack.defer(async () => attack.close());
    attackErrors = [];
    void collectErrors(attack, attackErrors);
    const view = await connectBare(nats, seedOf(victim));
    stack.defer(async () => view.close());
    seen = [];
    for (const subject of [`agentint.${ids.victim}.>`, `_INBOX_${ids.victim}.>`])
      view.subscribe(subject, { callback: (_error, message) => void seen.push(message) });
    await view.flush();
  });

  test("an agent cannot publish to another agent, nor to the node in its name, nor answer for it", async () => {
    const handled: string[] = [];
    victim?.link.handle(`hostint.${ids.victim}.>`, ({ subject }) => {
      handled.push(subject);
      return undefined;
    });
    const asked = assert.rejects(
      (victim ?? assert.fail()).link.request(`agentint.${ids.victim}.slow`, new Uint8Array(0), {
        timeoutMs: 500,
      }),
      { code: "LINK_TIMEOUT" },
    );
    await until(() => seen.length === 1);
    const reply = seen[0]?.reply ?? assert.fail();
    const subjects = [`agentint.${ids.victim}.deploy`, `hostint.${ids.victim}.logs`, reply, "other"];
    for (const subject of [...subjects, `_INBOX_${ids.victim}.1`]) attack.publish(subject, "attack");
    await settled();
    await asked;
    assert.deepEqual(handled, []);
    assert.equal(seen.length, 1);
    assert.equal(attackErrors.filter((text) => /permissions violation/i.test(text)).length, 5);
  });

  test("an agent can read neither another agent's subjects nor the node's inbox, nor everything", async () => {
    const stolen: string[] = [];
    const subjects = [
      ">",
      "_HIN.>",
      "hostint.>",
      `_HIN.${ids.attacker}.>`,
      `hostint.${ids.attacker}.>`,
      `agentint.${ids.victim}.>`,
      "agentint.*.>",
      `_INBOX_${ids.victim}.>`,
      "_INBOX_*.>",
      "$SYS.>",
      "$SYS.REQ.USER.AUTH",
    ];
    const refusals: string[] = [];
    for (const subject of subjects) {
      attack.subscribe(subject, {
        callback: (error, message) =>
          void (error === null ? stolen.push(message.subject) : refusals.push(error.message)),
      });
    }
    await attack.flush();
    victim?.link.publish(`agentint.${ids.victim}.undeploy`, new Uint8Array(0));
    await until(() => seen.length === 1);
    await settled();
    assert.deepEqual(stolen, []);
    assert.equal(refusals.length, subjects.length);
  });

  test("an agent has no JetStream whose consumer would deliver to another agent", async () => {
    const attempts = {
      [`$JS.API.STREAM.CREATE.S`]: { name: "S", subjects: [`hostint.${ids.attacker}.>`] },
      [`$JS.API.CONSUMER.CREATE.S`]: {
        stream_name: "S",
        config: { deliver_subject: `agentint.${ids.victim}.deploy`, ack_policy: "none" },
      },
      [`$JS.API.INFO`]: {},
    };
    const answers: Msg[] = [];
    attack.subscribe(`_INBOX_${ids.attacker}.>`, {
      callback: (_error, message) => void answers.push(message),
    });
    for (const [subject, body] of Object.entries(attempts))
      attack.publish(subject, JSON.stringify(body), { reply: `_INBOX_${ids.attacker}.js` });
    attack.publish(`hostint.${ids.attacker}.logs`, "stored and delivered elsewhere");
    await settled();
    assert.deepEqual(
      answers.filter(({ subject }) => subject.endsWith(".js")),
      [],
    );
    assert.deepEqual(seen, []);
    // The server has none for anybody: not even the permissions stand alone.
    assert.equal(attack.info?.jetstream ?? false, false);
  });

  test("the node answers an agent in that agent's inbox only, whatever reply subject a message names", async () => {
    let handled = 0;
    attacker?.link.handle(`hostint.${ids.attacker}.events.*`, ({ body }) => {
      handled += 1;
      return { body };
    });
    const replies = [
      `agentint.${ids.victim}.deploy`,
      `_INBOX_${ids.victim}.1`,
      `_INBOX_${ids.victim}`,
      `_INBOX_${ids.attacker}x.1`,
      `hostint.${ids.victim}.logs`,
      `_HIN.${ids.victim}.1`,
    ];
    // A subject without handler is answered, too.
    for (const subject of ["events.x", "unhandled"])
      for (const reply of replies) attack.publish(`hostint.${ids.attacker}.${subject}`, "attack", { reply });
    await settled();
    assert.equal(handled, replies.length);
    assert.deepEqual(seen, []);
    const refused = nats.log.filter(({ message }) => message.startsWith("Refused to answer on a subject"));
    assert.equal(refused.filter(({ fields }) => fields["agent_id"] === ids.attacker).length, 12);
  });

  test("an agent cannot have the server trace its messages onto another agent's subjects", async () => {
    const trace = headers();
    trace.set("Nats-Trace-Dest", `agentint.${ids.victim}.deploy`);
    attack.publish(`hostint.${ids.attacker}.logs`, "attack", { headers: trace });
    await settled();
    assert.deepEqual(seen, []);
  });

  test("a key that was not added is refused, and so is one that was removed", async () => {
    await assert.rejects(connectBare(nats, createSigningKey("user").seedText()), /Authorization Violation/i);
    const removed = await nats.addAgent(`removed${round}`);
    await removed[Symbol.asyncDispose]();
    await assert.rejects(connectBare(nats, removed.nkeySeed), /Authorization Violation/i);
  });

  test("another agent's key is refused without its own signature of this connection's nonce", async () => {
    const [own, other] = [attacker, victim].map((agent) => signingKeyFromSeed(seedOf(agent)));
    const { publicKey } = other ?? assert.fail();
    let nonce = "";
    const view = await connectWith(nats, {
      authenticator: (challenge = "") => {
        nonce = challenge;
        return { nkey: publicKey, sig: signed(other, challenge) };
      },
    });
    await view.close();
    const lies: Record<string, (challenge: string) => { readonly nkey: string; readonly sig?: string }> = {
      "another key's": (challenge) => ({ nkey: publicKey, sig: signed(own, challenge) }),
      "an earlier nonce's": () => ({ nkey: publicKey, sig: signed(other, nonce) }),
      "that of nothing": () => ({ nkey: publicKey, sig: signed(other, "") }),
      none: () => ({ nkey: publicKey }),
      "no base64": () => ({ nkey: publicKey, sig: "{}" }),
    };
    for (const [name, lie] of Object.entries(lies)) {
      const connecting = connectWith(nats, {
        authenticator: (challenge = "") => ({ sig: "", ...lie(challenge) }),
      });
      await assert.rejects(connecting, /Authorization Violation/i, name);
    }
  });

  test("a client without a key is refused, whatever else it shows", async () => {
    const { publicKey } = signingKeyFromSeed(seedOf(victim));
    const shown = [{}, { user: ids.victim, pass: publicKey }, { user: publicKey }, { token: publicKey }];
    for (const options of shown) await assert.rejects(connectWith(nats, options), /Authorization Violation/i);
  });

  test("an agent cannot ask the server itself for anything, nor answer for the node whether it lets clients in", async () => {
    const server = attack.info?.server_id ?? assert.fail();
    const subjects = [
      "$SYS.REQ.USER.INFO",
      "$SYS.REQ.USER.AUTH",
      "$SYS.REQ.SERVER.PING",
      "$SYS.REQ.ACCOUNT.PING.CONNZ",
      `$SYS.REQ.SERVER.${server}.KICK`,
      `$SYS.REQ.SERVER.${server}.RELOAD`,
      "$SYS._INBOX.x",
      "_R_.x",
    ];
    let answers = 0;
    const reply = `_INBOX_${ids.attacker}.system`;
    attack.subscribe(reply, { callback: () => void (answers += 1) });
    for (const subject of subjects) attack.publish(subject, JSON.stringify({ cid: 1 }), { reply });
    await settled();
    assert.equal(answers, 0);
    assert.equal(attackErrors.filter((text) => /permissions violation/i.test(text)).length, subjects.length);
  });

  test("ids that would mean something in a subject or configuration are refused, and so are used ones", async () => {
    for (const id of ["", "*", ">", "a.b", 'a"', "a b", "a>"])
      await assert.rejects(nats.addAgent(id), { code: "INTERNAL" });
    await assert.rejects(nats.addAgent(ids.victim), { code: "INTERNAL" });
  });
});

function seedOf(agent: InternalAgent | undefined): string {
  return (agent ?? assert.fail()).nkeySeed;
}

async function collectErrors(connection: NatsConnection, errors: string[]): Promise<void> {
  for await (const status of connection.status())
    if (status.type === "error") errors.push(status.error.message);
}

/** Everything that was sent so far has been handled by the server, and by the node. */
async function settled(): Promise<void> {
  await attack.flush();
  await nodeAnswers();
}

/** The node's connection carries messages in order: its answer says that it has seen what came before. */
async function nodeAnswers(): Promise<void> {
  const inbox = `_INBOX_${ids.attacker}.settled`;
  const { promise, resolve } = Promise.withResolvers<void>();
  const subscription = attack.subscribe(inbox, { max: 1, callback: () => resolve() });
  attack.publish(`hostint.${ids.attacker}.nothing`, "", { reply: inbox });
  await promise;
  subscription.unsubscribe();
}

function signed(key: SigningKey | undefined, text: string): string {
  return Buffer.from((key ?? assert.fail()).sign(Buffer.from(text))).toString("base64url");
}
