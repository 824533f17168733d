// Asking the gateway.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(method, path, body) {
  const options = {method, headers: {Accept: "application/json"}};
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let reply;
  try {
    reply = await fetch(path, options);
  } catch {
    throw new Refused(0, "the gateway does not answer");
  }
  const told = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Refused(reply.status, told.error || reply.statusText);
  return told;
}

// Parameters that are undefined or empty are left out.
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return new URLSearchParams(given).toString();
}

export const get = (path, parameters = {}) => ask("GET", `${path}?${query(parameters)}`);
export const post = (path, body) => ask("POST", path, body);
export const remove = (path) => ask("DELETE", path);
