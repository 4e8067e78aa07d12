// Times, durations, sizes and numbers as people read them (pure).

/** Return how long ago a time was, short: `12 s`, `5 min`, `3 h`, `2 d`. */
export function ago(time: string | undefined, now: number): string {
  if (!time) return "";
  return duration(Math.max(0, (now - Date.parse(time)) / 1000), true);
}

/** Return a duration in seconds: `0.4 s`, `12 s`, `5 min 03 s`, `3 h 12 min`; only its first part if `short`. */
export function duration(seconds: number | undefined, short = false): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return "";
  if (seconds < 10 && !short) return `${Number(seconds.toPrecision(2))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number): string => String(value).padStart(2, "0");
  if (whole < 3600) return short ? `${Math.floor(whole / 60)} min` : `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const hours = Math.floor(whole / 3600);
  if (hours < 48) return short ? `${hours} h` : `${hours} h ${two(Math.floor((whole % 3600) / 60))} min`;
  return short ? `${Math.floor(hours / 24)} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Return seconds from one time to another, undefined if one is missing. */
export function between(from: string | undefined, to: string | undefined): number | undefined {
  return from && to ? Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000) : undefined;
}

/** Return a time in the reader's own zone: `2026-11-24 09:00:04`. */
export function moment(time: string | undefined): string {
  if (!time) return "";
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return time;
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** Return bytes: `812 B`, `4.2 MiB`. */
export function bytes(size: number | undefined): string {
  if (size === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [size, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** Return a number with thin spaces between its thousands. */
export function count(value: number): string {
  return value.toLocaleString("en-US").replaceAll(",", "\u202f");
}

/** Return a value of a parameter or a metric: at most six digits of a number. */
export function scalar(value: number | boolean | string): string {
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(6)));
}

/** Return parameters on one line: `length=1, diffusivity=0.01`. */
export function assignment(params: Readonly<Record<string, number | boolean | string>>): string {
  return Object.entries(params)
    .map(([name, value]) => `${name}=${scalar(value)}`)
    .join(", ");
}
