// The page's only way to the server. A 404 answers null: the part is not there.

// Which of several workspaces this page shows; without it the first.
const team = new URLSearchParams(location.search).get("team");
const here = team ? { team } : {};
export const address = (user, hash) => `?${new URLSearchParams({ ...here, as: user })}#${hash}`;

async function answer(response) {
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`the workspace answered ${response.status}`);
  return response.json();
}

export async function get(path, query = {}) {
  return answer(await fetch(`${path}?${new URLSearchParams({ ...here, ...query })}`, { cache: "no-store" }));
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return answer(await fetch(path, { method: "POST", headers, body: JSON.stringify({ ...here, ...body }) }));
}

export async function upload(path, fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries({ ...here, ...fields })) body.append(name, value);
  return answer(await fetch(path, { method: "POST", body }));
}

const SPOKEN = {
  channel_not_found: "This conversation is not there any more.",
  user_not_found: "This person is not in the workspace any more.",
  no_text: "There is nothing to send.",
};

export const spoken = (error) => SPOKEN[error] || String(error || "That did not work.");
export const fileAt = (id) => `/ui/file/${id}?${new URLSearchParams(here)}`;
