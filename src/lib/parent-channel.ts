/**
 * Environment variable that tells a child process the number of the file descriptor of its channel to the process
 * that started it: a UNIX socket, bytes both ways.
 */
export const PARENT_CHANNEL_VARIABLE = "NEX_CHANNEL_FD";
/** The same for a second one, that the child reads and writes with its thread waiting. */
export const PARENT_CALLS_VARIABLE = "NEX_CALLS_FD";
