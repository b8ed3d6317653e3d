/** Header of a reply that says that the handler failed; its value is the error's text, one line. */
export const ERROR_HEADER = "x-nex-error";
