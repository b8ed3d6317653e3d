const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** Names of the time formats of log lines, as Go's `time` package calls them. */
export type TimeFormat = "DateOnly" | "DateTime" | "Stamp" | "RFC822" | "RFC3339";

/** `time` in local time, in one of Go's formats. */
export function formatTime(time: Date, format: TimeFormat): string {
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const month = MONTHS[time.getMonth()] ?? "";
  switch (format) {
    case "DateOnly":
      return date;
    case "DateTime":
      return `${date} ${clockTime(time)}`;
    case "Stamp":
      return `${month} ${String(time.getDate()).padStart(2, " ")} ${clockTime(time)}`;
    case "RFC822": {
      const year = two(time.getFullYear() % 100);
      return `${two(time.getDate())} ${month} ${year} ${clockTime(time).slice(0, 5)} ${zoneName(time)}`;
    }
    case "RFC3339":
      return `${date}T${clockTime(time)}${zoneOffset(time)}`;
  }
}

/** `HH:MM:SS` in local time. */
export function clockTime(time: Date): string {
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

function zoneName(time: Date): string {
  const parts = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(time);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "UTC";
}

function zoneOffset(time: Date): string {
  const minutes = -time.getTimezoneOffset();
  if (minutes === 0) return "Z";
  const amount = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(amount / 60))}:${two(amount % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
