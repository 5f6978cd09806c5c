// The page's only way to the server.

async function answer(response) {
  if (!response.ok && response.status !== 404) throw new Error(`the workspace answered ${response.status}`);
  return response.status === 404 ? null : response.json();
}

export async function get(path, query = {}) {
  return answer(await fetch(`${path}?${new URLSearchParams(query)}`, { cache: "no-store" }));
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return answer(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

const SPOKEN = {
  operation_timeout: "Cadence did not respond in time. Please try again.",
  operation_failed: "Cadence could not do that. Please try again.",
  app_not_connected: "Cadence is not connected at the moment.",
  channel_not_found: "This conversation is not there any more.",
};

export const spoken = (error) => SPOKEN[error] || String(error || "That did not work.");
