import type { NexFunction } from "nex/functions";
import greetings from "./greetings.json" with { type: "json" };
import { parsePerson } from "./lib/person.ts";

/** Greets whoever the payload names: `{"name": "Ada", "language": "de"}`. */
const hello: NexFunction<{ readonly greeting: string }> = (subject, payload) => {
  const { name, language } = parsePerson(payload);
  const word = greetings[language] ?? greetings.en;
  console.log(`${subject}: greeting ${name}`);
  return { greeting: `${word}, ${name}!` };
};

export default hello;
