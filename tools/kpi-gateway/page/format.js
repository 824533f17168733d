// Numbers and instants as people read them. Nothing ("no data") is a dash, and never a zero.

export const NOTHING = "–";
const plain = new Intl.NumberFormat("en-GB", {maximumFractionDigits: 1});
const percents = new Intl.NumberFormat("en-GB", {style: "percent", maximumFractionDigits: 1});
const wholes = new Intl.NumberFormat("en-GB", {style: "percent", maximumFractionDigits: 0});
const moneys = new Map();

function money(value, unit) {
  const digits = Math.abs(value) >= 1000 ? 0 : 2;
  const key = unit + digits;
  if (!moneys.has(key)) moneys.set(key, new Intl.NumberFormat("en-GB", {style: "currency", currency: unit, maximumFractionDigits: digits, minimumFractionDigits: 0}));
  return moneys.get(key).format(value);
}

export function duration(seconds) {
  const s = Math.round(Math.abs(seconds));
  const sign = seconds < 0 ? "−" : "";
  if (s >= 2 * 86400) return `${sign}${plain.format(s / 86400)} d`;
  if (s >= 3600) return `${sign}${Math.floor(s / 3600)}:${String(Math.floor(s % 3600 / 60)).padStart(2, "0")} h`;
  return `${sign}${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")} min`;
}

// A value of a KPI by its unit.
export function value(number, unit) {
  if (number === null || number === undefined) return NOTHING;
  if (unit === "%") return percents.format(number);
  if (unit === "s") return duration(number);
  if (unit && /^[A-Z]{3}$/.test(unit)) return money(number, unit);
  return plain.format(number) + (unit ? ` ${unit}` : "");
}

export function share(number) {
  return number === null || number === undefined ? NOTHING : percents.format(number);
}

export const whole = (number) => wholes.format(number);

export function instant(ms, zone) {
  return new Intl.DateTimeFormat("en-GB", {dateStyle: "medium", timeStyle: "short", timeZone: zone}).format(ms);
}

export function clock(ms, zone) {
  return new Intl.DateTimeFormat("en-GB", {timeStyle: "medium", timeZone: zone}).format(ms);
}

export function day(ms, zone) {
  return new Intl.DateTimeFormat("en-GB", {day: "numeric", month: "short", timeZone: zone}).format(ms);
}

export const STATUS = {
  ok: {sign: "●", title: "on track"},
  warning: {sign: "▲", title: "warning"},
  critical: {sign: "■", title: "critical"},
  no_data: {sign: "?", title: "no data: a source is silent"},
};
