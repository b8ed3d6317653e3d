import { nearestName } from "../../lib/nearest-name.ts";

const SHORTEST_BEGINNING = 3;

/** ` (did you mean …?)` with the candidate that `word` begins or nearly is; otherwise nothing. */
export function didYouMean(word: string, candidates: Iterable<string>, prefix = ""): string {
  const names = [...candidates];
  const candidate =
    names.find((name) => word.length >= SHORTEST_BEGINNING && name.startsWith(word)) ??
    names.find((name) => isSwapped(word, name)) ??
    nearestName(word, names);
  return candidate === undefined ? "" : ` (did you mean ${prefix}${candidate}?)`;
}

/** Whether two neighbouring letters changed places, the commonest slip. */
function isSwapped(word: string, name: string): boolean {
  return Array.from(word, (_, at) => at).some(
    (at) => word.slice(0, at) + word.slice(at + 1, at + 2) + word.charAt(at) + word.slice(at + 2) === name,
  );
}
