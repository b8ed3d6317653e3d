/** Somebody to greet. */
export interface Person {
  readonly name: string;
  readonly language: "en" | "de" | "fr";
}

/** Reads a person from JSON; the language is English unless it says otherwise. */
export function parsePerson(payload: Uint8Array): Person {
  const { name, language = "en" } = JSON.parse(new TextDecoder().decode(payload)) as Partial<Person>;
  if (typeof name !== "string") throw new TypeError("name is missing");
  return { name, language };
}
