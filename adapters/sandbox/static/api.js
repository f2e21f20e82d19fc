// The page's only way to the server.

export async function act(deed, body) {
  let response;
  try {
    response = await fetch(`/sandbox/api/${deed}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Sandbox": "1" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Error("The gateway cannot be reached. Is it running?");
  }
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw new Error(answer.problem ?? `The sandbox answered ${response.status}.`);
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Calls `onState` with each new state and `onAway` when nobody answers. Never ends.
export async function watch(onState, onAway) {
  let since = "";
  for (;;) {
    const asked = performance.now();
    try {
      const response = await fetch(`/sandbox/api/state?since=${since}`, { signal: AbortSignal.timeout(40_000) });
      if (!response.ok) throw new Error(String(response.status));
      const state = await response.json();
      onState(state);
      const quick = String(state.version) === since && performance.now() - asked < 1000;
      since = String(state.version);
      if (quick) await pause(1000);
    } catch {
      since = "";
      onAway();
      await pause(1500);
    }
  }
}
