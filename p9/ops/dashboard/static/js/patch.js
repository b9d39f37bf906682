// A JSON merge patch (RFC 7396): null takes a key away, objects are merged within, all else takes the old one's place.

export function applyPatch(state, patch) {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete state[key];
    else if (typeof value === "object" && !Array.isArray(value)) {
      const inner = state[key];
      state[key] = applyPatch(inner !== null && typeof inner === "object" && !Array.isArray(inner) ? inner : {}, value);
    } else state[key] = value;
  }
  return state;
}
