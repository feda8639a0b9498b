// What a front-end engineer would write by hand, and write well: typed arrays, no allocation in the loops, four accumulators to hide the
// latency of additions, the native sort. A full order, one epsilon-greedy draw with exact propensities, and the cards in their new order
// as frozen objects.

/** Order and propensities from scores. */
class Chooser {
  constructor(epsilon) {
    this.epsilon = epsilon;
    this.room(0);
  }

  room(n) {
    this.n = n;
    this.scores = new Float32Array(n);
    this.bits = new Uint32Array(this.scores.buffer);
    this.keys = new Float64Array(n);
    this.pmf = new Float64Array(n);
    this.order = new Uint32Array(n);
  }

  /** Falling scores, ties by index: the bits of a float as a sortable number, the index below them, the native sort. */
  sort() {
    const { n, bits, keys, order } = this;
    for (let i = 0; i < n; i++) {
      const raw = bits[i];
      const rising = raw & 0x80000000 ? ~raw >>> 0 : (raw | 0x80000000) >>> 0;
      keys[i] = (4294967295 - rising) * 65536 + i;
    }
    keys.sort();
    for (let i = 0; i < n; i++) order[i] = keys[i] % 65536;
  }

  choose() {
    this.sort();
    const { n, pmf, order, epsilon } = this;
    pmf.fill(epsilon / n);
    pmf[order[0]] += 1 - epsilon;
    const drawn = Math.random() < epsilon ? Math.floor(Math.random() * n) : 0;
    const chosen = order[drawn];
    order.copyWithin(1, 0, drawn);
    order[0] = chosen;
    return { order, pmf, propensity: pmf[chosen] };
  }
}

/** A ranker around a way to score; `score(x, n, scores)` fills the scores of n rows. */
export class PlainRanker extends Chooser {
  constructor(d, score, epsilon) {
    super(epsilon);
    this.d = d;
    this.score = score;
  }

  /** Objects to the matrix that `rank` reads; an app with objects has to do this for each page. */
  pack(cards) {
    if (!this.matrix || this.matrix.length !== cards.length * this.d) this.matrix = new Float32Array(cards.length * this.d);
    for (let i = 0; i < cards.length; i++) this.matrix.set(cards[i].features, i * this.d);
    return this.matrix;
  }

  rank(x, n) {
    if (n !== this.n) this.room(n);
    this.score(x, n, this.scores);
    return this.choose();
  }

  /** The same as objects, as a renderer takes them. */
  page(cards, x) {
    const { order, propensity } = this.rank(x, cards.length);
    return Array.from(order, (index, position) => Object.freeze({ ...cards[index], position, propensity: position === 0 ? propensity : 1 }));
  }
}

export function linear({ d, weights, bias }) {
  const w = Float64Array.from(weights);
  return (x, n, scores) => {
    for (let i = 0, o = 0; i < n; i++) {
      let a = bias, b = 0, c = 0, e = 0;
      for (let j = 0; j < d; j += 4, o += 4) {
        a += x[o] * w[j];
        b += x[o + 1] * w[j + 1];
        c += x[o + 2] * w[j + 2];
        e += x[o + 3] * w[j + 3];
      }
      scores[i] = a + b + (c + e);
    }
  };
}

/** Mean and standard deviation of a shared posterior: LinUCB with a full covariance of which one triangle is read. */
export function linUcb({ d, weights, bias }, alpha) {
  const w = Float64Array.from(weights);
  const covariance = new Float64Array(d * d);
  for (let j = 0; j < d; j++) covariance[j * d + j] = 1;
  return (x, n, scores) => {
    for (let i = 0; i < n; i++) {
      const o = i * d;
      let mean = bias, square = 0;
      for (let r = 0; r < d; r++) {
        const xr = x[o + r];
        const row = r * d;
        let a = 0, b = 0, c = r + 1;
        for (; c + 1 < d; c += 2) {
          a += covariance[row + c] * x[o + c];
          b += covariance[row + c + 1] * x[o + c + 1];
        }
        if (c < d) a += covariance[row + c] * x[o + c];
        square += xr * (covariance[row + r] * xr + 2 * (a + b));
        mean += w[r] * xr;
      }
      scores[i] = mean + alpha * Math.sqrt(square > 0 ? square : 0);
    }
  };
}

/** Four hidden units at a time. */
export function network({ d, h, hidden, hiddenBias, out, outBias }) {
  const w = Float64Array.from(hidden);
  return (x, n, scores) => {
    for (let i = 0; i < n; i++) {
      const o = i * d;
      let z = outBias;
      for (let k = 0; k < h; k += 4) {
        const r0 = k * d, r1 = r0 + d, r2 = r1 + d, r3 = r2 + d;
        let a = hiddenBias[k], b = hiddenBias[k + 1], c = hiddenBias[k + 2], e = hiddenBias[k + 3];
        for (let j = 0; j < d; j++) {
          const v = x[o + j];
          a += v * w[r0 + j];
          b += v * w[r1 + j];
          c += v * w[r2 + j];
          e += v * w[r3 + j];
        }
        if (a > 0) z += a * out[k];
        if (b > 0) z += b * out[k + 1];
        if (c > 0) z += c * out[k + 2];
        if (e > 0) z += e * out[k + 3];
      }
      scores[i] = z;
    }
  };
}

/** Tree by tree, so that the splits of one stay in the cache; oblivious trees are run as the complete trees they are. */
export function trees(model) {
  const { d, depth, leaf, leaves } = model;
  const splits = leaves - 1;
  const column = new Uint8Array(model.trees * splits);
  const threshold = new Float32Array(model.trees * splits);
  for (let tree = 0; tree < model.trees; tree++) {
    for (let k = 0; k < splits; k++) {
      const from = model.splits * tree + (model.oblivious ? 31 - Math.clz32(k + 1) : k);
      column[splits * tree + k] = model.column[from];
      threshold[splits * tree + k] = model.threshold[from];
    }
  }
  // Bit k of an oblivious leaf is the way taken at level k; the leaves of a heap lie the other way round.
  const turned = (at) => model.oblivious ? Array.from({ length: depth }, (_, k) => (at >> (depth - 1 - k) & 1) << k).reduce((a, b) => a | b, 0) : at;
  const leafOf = Float64Array.from({ length: model.trees * leaves }, (_, at) => leaf[Math.floor(at / leaves) * leaves + turned(at % leaves)]);
  return (x, n, scores) => {
    scores.fill(0);
    for (let tree = 0; tree < model.trees; tree++) {
      const first = tree * splits;
      const firstLeaf = tree * leaves;
      for (let i = 0, o = 0; i < n; i++, o += d) {
        let k = 0;
        for (let level = 0; level < depth; level++) k = 2 * k + (x[o + column[first + k]] < threshold[first + k] ? 1 : 2);
        scores[i] += leafOf[firstLeaf + k - splits];
      }
    }
  };
}

/** Chances to stand first of independent normal posteriors, by counting draws: what is written where no closed form is known. */
export function thompson(means, sds, draws, normal) {
  const chances = new Float64Array(means.length);
  return () => {
    chances.fill(0);
    for (let draw = 0; draw < draws; draw++) {
      let best = 0, most = -Infinity;
      for (let i = 0; i < means.length; i++) {
        const value = means[i] + sds[i] * normal();
        if (value > most) { most = value; best = i; }
      }
      chances[best] += 1 / draws;
    }
    return chances;
  };
}

/** One outcome of a shared posterior by Sherman and Morrison, or of a diagonal one. */
export function learner(d, full) {
  const w = new Float64Array(d);
  const precision = new Float64Array(d).fill(1);
  const covariance = new Float64Array(full ? d * d : 0);
  const t = new Float64Array(d);
  if (full) for (let j = 0; j < d; j++) covariance[j * d + j] = 1;
  return (x, o, reward) => {
    let z = 0;
    for (let j = 0; j < d; j++) z += x[o + j] * w[j];
    const p = 1 / (1 + Math.exp(-z));
    const h = p * (1 - p);
    if (!full) {
      for (let j = 0; j < d; j++) {
        precision[j] += h * x[o + j] * x[o + j];
        w[j] += (reward - p) * x[o + j] / precision[j];
      }
      return;
    }
    let v = 0;
    for (let r = 0; r < d; r++) {
      let s = 0;
      for (let c = 0; c < d; c++) s += covariance[r * d + c] * x[o + c];
      t[r] = s;
      v += s * x[o + r];
    }
    const scale = h / (1 + h * v);
    for (let r = 0; r < d; r++) {
      const k = scale * t[r];
      for (let c = 0; c < d; c++) covariance[r * d + c] -= k * t[c];
      w[r] += (reward - p) * t[r] / (1 + h * v);
    }
  };
}
