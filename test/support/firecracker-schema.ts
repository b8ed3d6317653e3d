import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";

/** A method and path of the API, `PUT /drives/{drive_id}`, with the schema of its body. */
interface Operation {
  readonly pattern: RegExp;
  readonly body: z.ZodType;
}

type JsonSchema = Record<string, unknown>;

/** Firecracker's own description of its API as a checker of requests. */
export class FirecrackerSchema {
  readonly #operations = new Map<string, Operation[]>();
  readonly #configuration: z.ZodType;

  constructor() {
    const file = new URL("./firecracker-openapi.yaml", import.meta.url);
    const document = parse(readFileSync(file, "utf8")) as {
      paths: Record<string, Record<string, { parameters?: { in: string; schema?: JsonSchema }[] }>>;
      definitions: Record<string, JsonSchema>;
    };
    const definitions = Object.fromEntries(
      Object.entries(document.definitions).map(([name, schema]) => [name, closed(schema)]),
    );
    const bodyOf = (schema: JsonSchema): z.ZodType =>
      z.fromJSONSchema({ ...schema, definitions }, { defaultTarget: "draft-4" });
    this.#configuration = bodyOf({ $ref: "#/definitions/FullVmConfiguration" });
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, { parameters = [] }] of Object.entries(methods)) {
        const schema = parameters.find((parameter) => parameter.in === "body")?.schema;
        const body = schema === undefined ? z.undefined() : bodyOf(schema);
        const pattern = new RegExp(`^${path.replaceAll(/\{\w+\}/g, "([A-Za-z0-9_]+)")}$`);
        const key = method.toUpperCase();
        this.#operations.set(key, [...(this.#operations.get(key) ?? []), { pattern, body }]);
      }
    }
  }

  /** What is wrong with the content of a configuration file, as a sentence; undefined when it is as described. */
  configurationComplaint(content: unknown): string | undefined {
    const result = this.#configuration.safeParse(content);
    return result.success ? undefined : `Invalid JSON: ${result.error.message}`;
  }

  /** What is wrong with a request, as a sentence; undefined when it is as described. */
  complaint(method: string, path: string, body: unknown): string | undefined {
    const operation = this.#operations.get(method)?.find(({ pattern }) => pattern.test(path));
    if (operation === undefined) return `Invalid request method and/or path: ${method} ${path}.`;
    const result = operation.body.safeParse(body);
    if (!result.success) return `An error occurred when deserializing the json body: ${result.error.message}`;
    const [, name] = operation.pattern.exec(path) ?? [];
    if (name === undefined || Object.values(body as object).includes(name)) return undefined;
    return "The id from the path does not match the id from the body!";
  }
}

/** Firecracker refuses fields that it does not know; its description does not say so. */
function closed(schema: JsonSchema): JsonSchema {
  return schema["properties"] === undefined ? schema : { additionalProperties: false, ...schema };
}
