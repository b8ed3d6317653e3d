import type { Link } from "../../src/agent-api/link.ts";

/** The tokens before what one end of a link serves, and what it asks for, such as `hostint.w1.`. */
interface Prefixes {
  readonly served: string;
  readonly called: string;
}

/** A link whose subjects lie below fixed ones, as short subjects: for links that carry nothing else. */
export function shortSubjects(link: Link, { served, called }: Prefixes): Link {
  return {
    closed: link.closed,
    request: (subject, body, options) => link.request(called + subject, body, options),
    publish: (subject, body, headers) => link.publish(called + subject, body, headers),
    handle: (pattern, handler) =>
      link.handle(served + pattern, (message) =>
        handler({ ...message, subject: message.subject.slice(served.length) }),
      ),
    close: () => link.close(),
    [Symbol.asyncDispose]: () => link.close(),
  };
}
