import { NexError } from "../lib/errors.ts";

/** A failure whose message is one of the texts of protocol section 10; `main.ts` prints it as it stands. */
export class Refusal extends NexError {
  /** `message` replaces the one of `cause`, whose code and hint stay. */
  constructor(message: string, cause?: NexError) {
    super({
      code: cause?.code ?? "CONTROL_REFUSED",
      message,
      cause,
      ...(cause?.hint === undefined ? {} : { hint: cause.hint }),
    });
  }
}
