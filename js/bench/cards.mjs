// The cards of the benchmarks, the same in every run.

/** Repeatable draws (mulberry32) from 0 up to 1. */
export function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** As normal as the sum of four uniforms. */
export function random(seed, uniform = uniforms(seed)) {
  return () => (uniform() + uniform() + uniform() + uniform() - 2) * Math.sqrt(3);
}

/** `n` cards with `d` features each, as an app holds them. */
export function makeCards(n, d, seed) {
  const normal = random(seed);
  return Array.from({ length: n }, (_, index) => ({
    id: `album:${index}`, index, title: `Album ${index}`, artist: `Artist ${index % 97}`, kind: 'album', cover: `/covers/${index}.jpg`,
    features: Float32Array.from({ length: d }, () => normal() / Math.sqrt(d)),
  }));
}
