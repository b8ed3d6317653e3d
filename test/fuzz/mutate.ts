import type { RandomSource } from "./random-source.ts";

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const STRINGS = [
  "",
  " ",
  "\0",
  "💥",
  "__proto__",
  "constructor",
  "*",
  ">",
  "a.b.c",
  "..",
  "../../../etc/passwd",
  "\r\nPUB x 0\r\n",
  "\ud800",
  "NaN",
  "null",
  "0",
  "x".repeat(5000),
] as const;
const NUMBERS = [0, -1, 1, 1e308, -1e308, 0.5, 2 ** 31, 2 ** 53, -(2 ** 53), 1e-320] as const;

/** A message: random bytes, random JSON, a valid one with its JSON mutated or its bytes, or as it is. */
export function fuzzedMessage(random: RandomSource, valid: Json): Uint8Array {
  const kind = random.below(10);
  if (kind === 0) return random.bytes(300);
  if (kind === 1) return encode(randomJson(random, 4));
  if (kind === 2) return mutateBytes(random, encode(valid));
  if (kind === 3) return encode(valid);
  let mutated = valid;
  for (let times = 1 + random.below(3); times > 0; times--) mutated = mutateJson(random, mutated);
  return encode(mutated);
}

/** The value with one place changed: another value, another type, a key more or less. */
export function mutateJson(random: RandomSource, value: Json): Json {
  if (typeof value === "string" && random.chance(0.7)) return mutateText(random, value);
  if (typeof value !== "object" || value === null || random.chance(0.1)) return randomJson(random, 2);
  if (Array.isArray(value)) {
    const items = [...(value as readonly Json[])];
    const index = random.below(items.length + 1);
    items.splice(index, random.below(2), mutateJson(random, items[index] ?? null));
    return items;
  }
  const entries = Object.entries(value as { readonly [key: string]: Json });
  const index = random.below(entries.length);
  const [key, inner] = entries[index] ?? ["", null];
  if (random.chance(0.2)) entries.splice(index, 1);
  else if (random.chance(0.1)) entries.push([random.pick(STRINGS), randomJson(random, 2)]);
  else entries[index] = [key, mutateJson(random, inner)];
  return Object.fromEntries(entries);
}

function mutateText(random: RandomSource, text: string): Json {
  const at = random.below(text.length + 1);
  switch (random.below(6)) {
    case 0:
      return random.pick(STRINGS);
    case 1:
      return text.slice(0, at);
    case 2:
      return text.slice(0, at) + String.fromCharCode(random.below(0x10000)) + text.slice(at + 1);
    case 3:
      return text.slice(0, at) + random.pick(STRINGS) + text.slice(at);
    case 4:
      return text.repeat(1 + random.below(4));
    default:
      return text.toUpperCase();
  }
}

function randomJson(random: RandomSource, depth: number): Json {
  switch (random.below(depth > 0 ? 7 : 5)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return random.pick(NUMBERS);
    case 3:
      return random.pick(STRINGS);
    case 4:
      return Buffer.from(random.bytes(40)).toString("base64");
    case 5:
      return Array.from({ length: random.below(4) }, () => randomJson(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(4) }, () => [random.pick(STRINGS), randomJson(random, depth - 1)]),
      );
  }
}

function mutateBytes(random: RandomSource, bytes: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  switch (random.below(4)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return Buffer.concat([bytes.slice(0, at), random.bytes(8), bytes.slice(at)]);
    case 2:
      return Buffer.concat([bytes, bytes.slice(0, at)]);
    default: {
      const changed = bytes.slice();
      if (at < changed.length) changed[at] = random.below(256);
      return changed;
    }
  }
}

function encode(value: Json): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
