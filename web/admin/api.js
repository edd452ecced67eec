// Talks to the server; the header tells it that this page asks, which no other site can do.

let whenSignedOut = () => {};

export const onSignedOut = (task) => (whenSignedOut = task);

/** The answer's data. Throws an Error whose message can be shown. */
export async function ask(method, path, body) {
  const headers = { "X-Admin-Page": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(`/admin/${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch {
    throw new Error("Le service ne répond pas.");
  }
  const data = await answer.json().catch(() => ({}));
  if (answer.ok) return data;
  if (answer.status === 401 && path !== "login") whenSignedOut();
  throw new Error(data.message || `Erreur ${answer.status}.`);
}

export const get = (path) => ask("GET", `api/${path}`);
export const post = (path, body = {}) => ask("POST", `api/${path}`, body);
