/** Text without what a header cannot carry: line ends and NUL become spaces. */
export function singleLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- NUL separates headers in frames
  return /[\0\r\n]/.test(text) ? text.replaceAll(/[\0\r\n]+/g, " ") : text;
}
