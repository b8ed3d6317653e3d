/** What a machine is told: flat, names and values (protocol.md 5.2). */
export type MetadataDocument = Readonly<Record<string, string | number>>;

/** The part of a document that a path names. */
export type MetadataSelection =
  | { readonly kind: "document"; readonly value: MetadataDocument }
  | { readonly kind: "value"; readonly value: string | number }
  | { readonly kind: "missing" };

/** `/` is the whole document, `/vmid` one value. */
export function selectMetadata(document: MetadataDocument, path: string): MetadataSelection {
  const [name, ...rest] = path.split("/").filter((part) => part !== "");
  if (name === undefined) return { kind: "document", value: document };
  const value = Object.hasOwn(document, name) ? document[name] : undefined;
  return value === undefined || rest.length > 0 ? { kind: "missing" } : { kind: "value", value };
}
