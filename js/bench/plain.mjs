// What a front-end engineer would write by hand, and write well: dot products over one Float32Array, a full order, one
// epsilon-greedy draw with exact propensities, and the cards in their new order as frozen objects.
export class PlainRanker {
  constructor(weights, bias, epsilon) {
    this.weights = Float64Array.from(weights);
    this.bias = bias;
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

  /** Objects to the matrix that `rank` reads; an app with objects has to do this for each page. */
  pack(cards) {
    const d = this.weights.length;
    if (!this.matrix || this.matrix.length !== cards.length * d) this.matrix = new Float32Array(cards.length * d);
    for (let i = 0; i < cards.length; i++) this.matrix.set(cards[i].features, i * d);
    return this.matrix;
  }

  /** Order and propensities of `n` cards. */
  rank(x, n) {
    if (n !== this.n) this.room(n);
    this.score(x, n);
    return this.choose(n);
  }

  /** Four accumulators hide the latency of the additions. */
  score(x, n) {
    const { weights: w, bias, scores } = this;
    const d = w.length;
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
  }

  /** One draw among the `n` cards whose scores are there. */
  choose(n) {
    const { bits, keys, pmf, order, epsilon } = this;
    // Falling scores, ties by index: the bits of a float as a sortable number, the index below them, the native sort.
    for (let i = 0; i < n; i++) {
      const raw = bits[i];
      const rising = raw & 0x80000000 ? ~raw >>> 0 : (raw | 0x80000000) >>> 0;
      keys[i] = (4294967295 - rising) * 65536 + i;
    }
    keys.sort();
    for (let i = 0; i < n; i++) order[i] = keys[i] % 65536;
    pmf.fill(epsilon / n);
    pmf[order[0]] += 1 - epsilon;
    const drawn = Math.random() < epsilon ? Math.floor(Math.random() * n) : 0;
    const chosen = order[drawn];
    order.copyWithin(1, 0, drawn);
    order[0] = chosen;
    return { order, pmf, propensity: pmf[chosen] };
  }

  /** The same as objects, as a renderer takes them. */
  page(cards, x) {
    return this.placed(cards, this.rank(x, cards.length));
  }

  placed(cards, { order, propensity }) {
    return Array.from(order, (index, position) => Object.freeze({ ...cards[index], position, propensity: position === 0 ? propensity : 1 }));
  }
}
