/**
 * Environment variable that tells a child process the number of the file descriptor of its channel to the process
 * that started it: a UNIX socket, bytes both ways.
 */
export const PARENT_CHANNEL_VARIABLE = "NEX_CHANNEL_FD";
