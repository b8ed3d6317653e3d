/*
 * URLs as Go's net/url parses and prints them (RFC 3986 with Go's choices), because the wire carries the parsed
 * struct. WHATWG URLs differ: they fold case, resolve dots and refuse what Go accepts.
 */
import type { GoUrl } from "./location.ts";

/** The parsed URL, or why it is none. */
export function goUrlFromText(text: string): GoUrl | string {
  if (text.length > MAX_LENGTH) return "it is too long";
  // oxlint-disable-next-line no-control-regex -- that is the check
  if (/[\u0000-\u001f\u007f]/u.test(text)) return "invalid control character in URL";
  const [beforeFragment, rawFragment] = cut(text, "#");
  const fragment = unescapeText(rawFragment ?? "");
  if (fragment === undefined) return "invalid URL escape";
  const main = parseWithoutFragment(beforeFragment);
  if (typeof main === "string") return main;
  const written = rawFragment ?? "";
  return {
    ...main,
    Fragment: fragment,
    RawFragment: written === escapeText(fragment, "fragment") ? "" : written,
  };
}

/** The URL as text; the opposite of {@link goUrlFromText} except for user information, which the struct does not hold. */
export function goUrlToText(url: GoUrl): string {
  let text = url.Scheme === "" ? "" : `${url.Scheme}:`;
  if (url.Opaque === "") {
    const path = encoded(url.RawPath, url.Path, "path");
    if (url.Scheme !== "" || url.Host !== "" || url.User !== null) {
      if (
        !(url.OmitHost && url.Host === "" && url.User === null) &&
        (url.Host !== "" || url.Path !== "" || url.User !== null)
      ) {
        text += "//";
      }
      if (url.User !== null) text += "@";
      text += escapeText(url.Host, "host");
    }
    if (path !== "" && !path.startsWith("/") && url.Host !== "") text += "/";
    // A colon in the first segment of a relative path would read as a scheme.
    if (text === "" && /^[^/]*:/u.test(path)) text += "./";
    text += path;
  } else {
    text += url.Opaque;
  }
  if (url.ForceQuery || url.RawQuery !== "") text += `?${url.RawQuery}`;
  if (url.Fragment !== "") text += `#${encoded(url.RawFragment, url.Fragment, "fragment")}`;
  return text;
}

/** Longer object names do not fit a subject anyway. Keeps a hostile text cheap. */
const MAX_LENGTH = 8192;

type Part = "path" | "fragment" | "host";

function parseWithoutFragment(text: string): GoUrl | string {
  const url = { ...EMPTY };
  if (text === "") return url;
  const scheme = /^[a-zA-Z][a-zA-Z0-9+.-]*(?=:)/u.exec(text)?.[0] ?? "";
  if (text.startsWith(":")) return "missing protocol scheme";
  let rest = scheme === "" ? text : text.slice(scheme.length + 1);
  url.Scheme = scheme.toLowerCase();
  if (rest.endsWith("?") && rest.indexOf("?") === rest.length - 1) {
    url.ForceQuery = true;
    rest = rest.slice(0, -1);
  } else {
    const [path, query] = cut(rest, "?");
    rest = path;
    url.RawQuery = query ?? "";
  }
  if (!rest.startsWith("/")) {
    if (url.Scheme !== "") return { ...url, Opaque: rest };
    if (/^[^/]*:/u.test(rest)) return "first path segment in URL cannot contain colon";
  }
  if ((url.Scheme !== "" || !rest.startsWith("///")) && rest.startsWith("//")) {
    const slash = rest.indexOf("/", 2);
    const authority = slash === -1 ? rest.slice(2) : rest.slice(2, slash);
    rest = slash === -1 ? "" : rest.slice(slash);
    const at = authority.lastIndexOf("@");
    if (at !== -1) {
      if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/u.test(authority.slice(0, at))) return "invalid userinfo";
      if (unescapeText(authority.slice(0, at)) === undefined) return "invalid URL escape";
      url.User = {};
    }
    const host = parseHost(authority.slice(at + 1));
    if (host === undefined) return "invalid host";
    url.Host = host;
  } else if (url.Scheme !== "" && rest.startsWith("/")) {
    url.OmitHost = true;
  }
  const path = unescapeText(rest);
  if (path === undefined) return "invalid URL escape";
  return { ...url, Path: path, RawPath: rest === escapeText(path, "path") ? "" : rest };
}

const EMPTY: { -readonly [Key in keyof GoUrl]: GoUrl[Key] } = {
  Scheme: "",
  Opaque: "",
  User: null,
  Host: "",
  Path: "",
  RawPath: "",
  OmitHost: false,
  ForceQuery: false,
  RawQuery: "",
  Fragment: "",
  RawFragment: "",
};

function parseHost(host: string): string | undefined {
  const [, name, port] = /^(\[[^\]]*\]|[^:[\]]*)(:[0-9]*)?$/u.exec(host) ?? [];
  if (name === undefined) return undefined;
  // In a host Go decodes only escapes of bytes outside ASCII (and zones of IPv6 addresses).
  if (!name.startsWith("[") && /%(?![89a-fA-F][0-9a-fA-F])/u.test(name)) return undefined;
  if (/[ \\^`{|}]/u.test(name)) return undefined;
  const decoded = name.startsWith("[") ? name : unescapeText(name);
  return decoded === undefined ? undefined : decoded + (port ?? "");
}

function encoded(raw: string, decoded: string, part: Part): string {
  if (raw !== "" && unescapeText(raw) === decoded && /^[!-~]*$/u.test(raw)) return raw;
  return part === "path" && decoded === "*" ? "*" : escapeText(decoded, part);
}

/** Characters written as they are, besides letters, digits and `-_.~` (net/url shouldEscape). */
const PLAIN: Readonly<Record<Part, string>> = {
  path: "$&+,/:;=@",
  fragment: "$&+,/:;=?@!()*",
  host: "!$&'()*+,;=:[]<>\"",
};

function escapeText(text: string, part: Part): string {
  let escaped = "";
  for (const byte of new TextEncoder().encode(text)) {
    const char = String.fromCharCode(byte);
    escaped +=
      /[A-Za-z0-9\-_.~]/u.test(char) || PLAIN[part].includes(char)
        ? char
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}

function unescapeText(text: string): string | undefined {
  if (!text.includes("%")) return text;
  if (/%(?![0-9a-fA-F]{2})/u.test(text)) return undefined;
  const bytes: number[] = [];
  for (const piece of text.split(/(%[0-9a-fA-F]{2})/u)) {
    if (/^%[0-9a-fA-F]{2}$/u.test(piece)) bytes.push(Number.parseInt(piece.slice(1), 16));
    else bytes.push(...new TextEncoder().encode(piece));
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
}

function cut(text: string, separator: string): readonly [string, string | undefined] {
  const index = text.indexOf(separator);
  return index === -1 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}
