// Who this browser is to the server: which device, and its token. The page of the code keeps it, the collector's page
// reads it; both are of one origin.

const KEY = "gridbeat-work";

/** {device, token, name}, or null. */
export function identity() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) || "null");
    return kept && kept.device && kept.token ? kept : null;
  } catch {
    return null; // storage is off or spoiled
  }
}

/** Answers whether this browser keeps things at all. */
export function keepIdentity(value) {
  try {
    if (value === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
