import type { GuestHttpAnswer, GuestLaterCall } from "../../host-services/guest/guest-host-services.ts";
import type { GuestHeaders, WebHeaders } from "./guest-headers.ts";
import type { GuestText } from "./guest-text.ts";

/** What `fetch` is made from. */
export interface GuestFetchParts {
  readonly text: GuestText;
  readonly headers: GuestHeaders;
  readonly callLater: GuestLaterCall;
  readonly readHttp: (reply: unknown) => GuestHttpAnswer;
  /** Makers of `URL` and of queries. */
  readonly url: Readonly<Record<string, object>>;
}

/**
 * `fetch`, `Request` and `Response`, over the http host service and by its rules. Bodies are whole, never streams. Runs
 * inside the isolate, from its own source text: refers to nothing outside its body.
 */
export function guestFetch(parts: GuestFetchParts): Readonly<Record<string, object>> {
  const { text, callLater, readHttp } = parts;
  const { valuesOf } = parts.headers;
  const { Headers } = parts.headers.globals;
  const Url = parts.url["URL"] as new (input: unknown) => { readonly href: string };
  const Query = parts.url["URLSearchParams"] as new () => object;
  const METHODS = new Set(["get", "head", "post", "put", "patch", "delete"]);
  const BODILESS = new Set([204, 205, 304]);
  const { parse, stringify } = JSON;
  const toText: (value: unknown) => string = String;

  type Init = Readonly<Record<string, unknown>>;
  type Content = string | Uint8Array | undefined;

  /** The bytes or the text of a body, and its type. */
  const extract = (body: unknown): readonly [content: Content, type: string | undefined] => {
    if (body === undefined || body === null) return [undefined, undefined];
    if (body instanceof ArrayBuffer || ArrayBuffer.isView(body))
      return [new Uint8Array(text.bytesOf(body)), undefined];
    const content = toText(body);
    const form = body instanceof Query;
    return [content, `${form ? "application/x-www-form-urlencoded" : "text/plain"};charset=UTF-8`];
  };
  const initOf = (value: unknown): Init => {
    if (value === undefined || value === null) return {};
    if (typeof value !== "object") throw new TypeError("the options are not an object");
    return value as Init;
  };

  /** The content for a copy; the content itself, which is used then. */
  let peek: (body: Body) => Content;
  let take: (body: Body) => Content;

  class Body {
    #content: Content;
    #used = false;
    readonly #headers: WebHeaders;
    static {
      peek = (body) => {
        const content = body.#unused();
        return typeof content === "object" ? new Uint8Array(content) : content;
      };
      take = (body) => {
        const content = body.#unused();
        if (content === undefined) return undefined;
        body.#used = true;
        body.#content = "";
        return content;
      };
    }
    constructor(content: Content, type: string | undefined, headers: unknown) {
      this.#content = content;
      this.#headers = new Headers(headers);
      if (type !== undefined && !this.#headers.has("content-type")) this.#headers.set("content-type", type);
    }
    get headers(): WebHeaders {
      return this.#headers;
    }
    get bodyUsed(): boolean {
      return this.#used;
    }
    async text(): Promise<string> {
      const content = take(this);
      if (typeof content === "string") return content.replace(/^\ufeff/, "");
      return content === undefined ? "" : text.decode(content).replace(/^\ufeff/, "");
    }
    async json(): Promise<unknown> {
      return parse(await this.text());
    }
    async bytes(): Promise<Uint8Array> {
      const content = take(this);
      return typeof content === "string" ? text.encode(content) : (content ?? new Uint8Array(0));
    }
    async arrayBuffer(): Promise<ArrayBufferLike> {
      return (await this.bytes()).buffer;
    }
    #unused(): Content {
      if (this.#used) throw new TypeError("the body has been used already");
      return this.#content;
    }
  }

  class Request extends Body {
    readonly #url: string;
    readonly #method: string;
    readonly #redirect: string;
    constructor(input: unknown, init?: unknown) {
      const options = initOf(init);
      const from = input instanceof Request ? input : undefined;
      const method = toText(options["method"] ?? from?.method ?? "GET");
      const [given, type] = extract(options["body"]);
      const content = given ?? (from === undefined ? undefined : peek(from));
      const plain = METHODS.has(method.toLowerCase()) ? method.toUpperCase() : method;
      if (content !== undefined && (plain === "GET" || plain === "HEAD"))
        throw new TypeError(`a ${plain} request has no body`);
      super(content, type, options["headers"] ?? from?.headers);
      this.#url = from === undefined ? new Url(input).href : from.url;
      this.#method = plain;
      this.#redirect = toText(options["redirect"] ?? from?.redirect ?? "follow");
      if (!["follow", "manual", "error"].includes(this.#redirect))
        throw new TypeError(`"${this.#redirect}" is no way to handle redirects`);
    }
    get url(): string {
      return this.#url;
    }
    get method(): string {
      return this.#method;
    }
    get redirect(): string {
      return this.#redirect;
    }
    clone(): Request {
      peek(this);
      return new Request(this);
    }
    get [Symbol.toStringTag](): string {
      return "Request";
    }
  }

  let arrive: (response: Response, url: string, redirected: boolean) => Response;

  class Response extends Body {
    readonly #status: number;
    readonly #statusText: string;
    #url = "";
    #redirected = false;
    static {
      arrive = (response, url, redirected) => {
        response.#url = url;
        response.#redirected = redirected;
        return response;
      };
    }
    constructor(body?: unknown, init?: unknown) {
      const options = initOf(init);
      const status = options["status"] === undefined ? 200 : Number(options["status"]);
      if (!(status >= 200 && status <= 599))
        throw new RangeError(`${status} is not the status of a response`);
      const [content, type] = extract(body);
      if (content !== undefined && BODILESS.has(status))
        throw new TypeError(`a response with status ${status} has no body`);
      super(content, type, options["headers"]);
      this.#status = status;
      this.#statusText = toText(options["statusText"] ?? "");
    }
    static json(value: unknown, init?: unknown): Response {
      const body = stringify(value) as string | undefined;
      if (body === undefined) throw new TypeError("the value has no JSON text");
      const headers = new Headers(initOf(init)["headers"]);
      if (!headers.has("content-type")) headers.set("content-type", "application/json");
      return new Response(body, { ...initOf(init), headers });
    }
    get type(): string {
      return "default";
    }
    get status(): number {
      return this.#status;
    }
    get ok(): boolean {
      return this.#status >= 200 && this.#status <= 299;
    }
    get statusText(): string {
      return this.#statusText;
    }
    get url(): string {
      return this.#url;
    }
    get redirected(): boolean {
      return this.#redirected;
    }
    clone(): Response {
      const { status, statusText, headers } = this;
      return arrive(new Response(peek(this), { status, statusText, headers }), this.#url, this.#redirected);
    }
    get [Symbol.toStringTag](): string {
      return "Response";
    }
  }

  const responseOf = (request: Request, answer: GuestHttpAnswer): Response => {
    const headers = new Headers();
    for (const name of Object.keys(answer.headers)) {
      const values = answer.headers[name];
      for (const value of Array.isArray(values) ? (values as unknown[]) : [values])
        headers.append(name, value);
    }
    if (
      request.redirect === "error" &&
      answer.status >= 300 &&
      answer.status < 400 &&
      headers.has("location")
    )
      throw new TypeError("fetch failed: the answer is a redirect");
    const url = answer.url ?? request.url;
    const hasBody = request.method !== "HEAD" && !BODILESS.has(answer.status);
    const content = hasBody ? (answer.bytes ?? answer.text) : undefined;
    const type = headers.has("content-type");
    const response = new Response(content, { status: answer.status, headers });
    if (!type) (response.headers as WebHeaders & { delete(name: string): void }).delete("content-type");
    return arrive(response, url, url !== request.url.replace(/#.*/s, ""));
  };

  /** The request's headers as JSON text: each name with its value, or the list of its values. */
  const headersJson = (headers: WebHeaders): string | undefined => {
    const values = valuesOf(headers);
    if (values.size === 0) return undefined;
    const shown = { __proto__: null } as unknown as Record<string, unknown>;
    for (const [name, list] of values) shown[name] = list.length === 1 ? list[0] : list;
    return stringify(shown);
  };

  const fetch = async (input: unknown, init?: unknown): Promise<Response> => {
    const request = new Request(input, init);
    const method = request.method.toLowerCase();
    if (!METHODS.has(method))
      throw new TypeError(`fetch failed: the method ${request.method} is not supported`);
    const body = take(request);
    const headers = headersJson(request.headers);
    const call = {
      service: "http",
      method,
      target: request.url.replace(/#.*/s, ""),
      body,
      ...(headers === undefined ? {} : { headers }),
      ...(request.redirect === "follow" ? {} : { redirect: "manual" }),
    };
    const reply = await new Promise((resolve) => callLater(call, resolve));
    try {
      return responseOf(request, readHttp(reply));
    } catch (error) {
      if (error instanceof TypeError || !(error instanceof Error)) throw error;
      throw new TypeError(`fetch failed: ${error.message}`, { cause: error });
    }
  };
  return { Request, Response, fetch };
}
