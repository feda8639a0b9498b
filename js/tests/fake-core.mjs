// A core small enough to predict: it turns pages around, remembers what it is told and fails on demand.
const decode = (strings) => strings.split('\x1e').slice(0, -1).map((entry) => entry.split('\x1f'));

export const coded = (code, message = code) => Object.assign(new Error(message), { code });

/** Faults by method name: a function that throws, or an error to throw; each stays until it is deleted. */
export function fakeProgram(faults = {}, log = []) {
  const program = {
    faults,
    log,
    instances: [],
    async instantiate() {
      return {
        create(settings, seed) {
          if (settings?.policy?.kind === 'nonsense') throw coded('model_policy', 'unknown policy nonsense');
          const core = new FakeCore(settings, seed, faults, log);
          program.instances.push(core);
          return core;
        },
      };
    },
  };
  return program;
}

class FakeCore {
  constructor(settings, seed, faults, log) {
    Object.assign(this, { settings, seed, faults, log, cards: [], byId: new Map(), shelves: [], shelfById: new Map() });
    this.state = { events: [], decisions: 0 };
    this.probe = 'watching';
    this.spent = 0;
    this.ledgerBytes = undefined;
    for (const name of METHODS) {
      const method = this[name];
      this[name] = (...values) => {
        this.log.push(name);
        const fault = this.faults[name];
        if (fault) throw typeof fault === 'function' ? fault(...values) : fault;
        if (this.bundle?.trap === name) throw new Error('unreachable');
        return method.apply(this, values);
      };
    }
  }
  /** A header can ask for failures: `refuse` is a code, `trap` the name of a method that stops the core. */
  setBundle(bytes, header) {
    if (header.refuse) throw coded(header.refuse, 'the fake core was told to refuse');
    if (header.trap === 'setBundle') throw new Error('unreachable');
    this.bundle = header;
    return '';
  }
  configuration() {
    const given = this.bundle?.columns ?? this.settings?.columns ?? ['tempo', 'energy'];
    return [this.bundle?.version ?? 'fake-1', given, given.map(() => 0.25), ['weekend'], [0.5]];
  }
  policyName(number) { return ['plackett_luce', 'softmax'][number]; }
  registerCards(strings, numbers) {
    let at = 0;
    return Uint32Array.from(decode(strings), ([id, title, artist, family, kind]) => {
      const [durationMs, popularity, size] = numbers.subarray(at, at + 3);
      const card = { id, title, artist, family, kind, durationMs, popularity, embedding: [...numbers.subarray(at + 3, at + 3 + size)] };
      at += 3 + size;
      if (!this.byId.has(id)) this.byId.set(id, this.cards.length);
      this.cards[this.byId.get(id)] = card;
      return this.byId.get(id);
    });
  }
  registerShelves(strings) {
    return Uint32Array.from(decode(strings), ([id, kind, title]) => {
      if (!this.shelfById.has(id)) this.shelfById.set(id, this.shelves.length);
      this.shelves[this.shelfById.get(id)] = { id, kind, title };
      return this.shelfById.get(id);
    });
  }
  card(handle) { return this.cards[handle]; }
  room(length) {
    if (!this.words || this.words.buffer.byteLength < 4 * length) this.words = new Float32Array(Math.max(4096, length));
    return this.words = new Float32Array(this.words.buffer, 0, length);
  }
  rank(now, after) {
    const words = this.words;
    this.lastAfter = after;
    const [, S, C, G, , , mask, K] = words;
    const shelvesAt = 16 + K, cardsAt = shelvesAt + 4 * S, featuresAt = (cardsAt + 2 * C + 3) & ~3;
    if (words.length !== featuresAt + C * G) throw coded('page_format');
    this.lastPage = Float32Array.from(words);
    if (!words.subarray(featuresAt).every(Number.isFinite)) throw coded('not_finite', 'features must be finite');
    const shelfHandles = new Set();
    const shelves = [];
    let first = 0;
    for (let s = 0; s < S; s++) {
      const [handle, count, flags] = words.subarray(shelvesAt + 4 * s);
      if (shelfHandles.has(handle)) throw coded('duplicate_shelf');
      shelfHandles.add(handle);
      const handles = new Set(Array.from({ length: count }, (_, i) => words[cardsAt + 2 * (first + i)]));
      if (handles.size !== count) throw coded('duplicate_card');
      shelves.push({ source: s, first, count, fixed: flags });
      first += count;
    }
    if (words[4] < 1 || words[5] < 1) throw coded('visible_range');
    if (!this.private) this.state.decisions++;
    const played = [...new Set(this.state.events.filter((e) => e.type === 'play' || e.type === 'finish').map((e) => this.byId.get(e.cardId)))];
    const local = mask & 1 && played.length > 0 ? [{ source: -1, cards: played }] : [];
    const ordered = [...local, ...shelves.reverse()];
    const out = [2, ordered.length, 0, this.private ? 0x8123abcd : 0x0123abcd, this.state.decisions, 0, 1, this.policy ?? 0];
    const cards = [];
    for (const shelf of ordered) {
      const list = shelf.cards ?? Array.from({ length: shelf.count }, (_, i) => shelf.first + shelf.count - 1 - i);
      out.push(shelf.source, 0.5, shelf.source < 0 ? 9 : 2, -1, list.length, list.length);
      cards.push(...list);
      for (const source of list) {
        const handle = shelf.cards ? source : words[cardsAt + 2 * source];
        cards.push(0.25, shelf.cards ? 9 : 4, shelf.cards ? -1 : handle);
      }
    }
    out[2] = out.length + cards.length;
    this.lastNow = now;
    return Float64Array.from([...out, ...cards]);
  }
  explain(id) { if (!id.startsWith('0123abcd')) throw coded('unknown_decision'); return { decisionId: id, shelves: [] }; }
  marginals() { return new Float64Array([1]); }
  observe(type, decisionId, shelfId, cardId, msPlayed, at, now) {
    if (!this.byId.has(cardId)) throw coded('unknown_card', 'the card was never registered');
    if (at > now + 1000) throw coded('event_future');
    if (this.private) return;
    if (msPlayed < 0 || msPlayed > 86_400_000) throw coded('event_duration');
    this.state.events.push({ type, decisionId, shelfId, cardId, msPlayed: Number.isNaN(msPlayed) ? null : msPlayed, at });
  }
  observeMany(strings, numbers, now) {
    const refused = [];
    decode(strings).forEach(([type, cardId], i) => {
      try { this.observe(type, '', '', cardId, numbers[2 * i], numbers[2 * i + 1], now); } catch { refused.push(i); }
    });
    return Uint32Array.from(refused);
  }
  settle() { return 0; }
  endSession() { return 0; }
  summary() {
    return { events: this.state.events.length, cards: 0, decisions: this.state.decisions, pending: 0, updates: 0, historyEmpty: this.state.events.length === 0, registered: this.cards.length };
  }
  snapshot() { return new TextEncoder().encode(JSON.stringify({ version: 1, ...this.state })); }
  restore(bytes) {
    let value;
    try { value = JSON.parse(new TextDecoder().decode(bytes)); } catch { throw coded('snapshot_corrupt', 'the snapshot cannot be read'); }
    if (value.version > 1) throw coded('snapshot_newer', `expected version 1, got ${value.version}`);
    const { version, ...state } = value;
    this.state = state;
    this.cards = []; this.byId = new Map(); this.shelves = []; this.shelfById = new Map();
    return '';
  }
  reset() { this.state = { events: [], decisions: 0 }; this.cards = []; this.byId = new Map(); this.shelves = []; this.shelfById = new Map(); this.probe = 'watching'; }
  setPrivate(on) { this.private = on; }
  setUnseen(on) { this.private = on; }
  exclude(artist, cardId, at) {
    if (cardId !== '' && !this.byId.has(cardId)) throw coded('unknown_card');
    const before = this.state.events.length;
    const concerns = (id) => (cardId === '' ? this.cards[this.byId.get(id)]?.artist === artist : id === cardId);
    this.state.events = this.state.events.filter((event) => !concerns(event.cardId) || (!Number.isNaN(at) && event.at !== at));
    if (Number.isNaN(at)) this.state.excluded = [...this.state.excluded ?? [], [artist, cardId]];
    return before - this.state.events.length;
  }
  include(artist, cardId) {
    const before = this.state.excluded ?? [];
    this.state.excluded = before.filter(([a, c]) => a !== artist || c !== cardId);
    return this.state.excluded.length < before.length;
  }
  excluded() { return (this.state.excluded ?? []).flatMap(([artist, cardId]) => [artist, this.byId.has(cardId) ? String(this.byId.get(cardId)) : '']); }
  setConsent(personalize, contribute, paused) { this.consent = { personalize, contribute: contribute && !paused }; }
  setManifest(bytes, parsed) { if (parsed.format !== 2) throw coded('manifest_invalid'); this.manifest = parsed; }
  ledger() { return this.ledgerBytes; }
  restoreLedger(bytes) { if (bytes[0] !== 0x4c) throw coded('ledger_corrupt'); this.ledgerBytes = bytes; this.spent = bytes[1]; this.permit = false; }
  startLedger() { return this.ledgerBytes ??= Uint8Array.of(0x4c, 0); }
  contribution() {
    const state = !this.consent?.contribute ? 'off' : !this.manifest ? 'no_manifest' : this.spent >= 1 ? 'spent' : this.probe;
    return { state, epoch: 46, epsilonSpent: this.spent, epsilonLeft: 4 - this.spent, epsilonPerRecord: 1, recordsThisPeriod: this.spent };
  }
  debit() {
    if (this.permit) return this.ledgerBytes;
    if (this.probe !== 'ready' || this.spent >= 1) return undefined;
    this.spent++;
    this.permit = true;
    this.ledgerBytes = Uint8Array.of(0x4c, this.spent);
    return this.ledgerBytes;
  }
  makeRecord() {
    if (!this.permit) throw coded('not_debited');
    this.permit = false;
    this.probe = 'done';
    return Uint8Array.from({ length: 16 }, (_, i) => i + 1);
  }
  describeRecord() {
    return { version: 1, epoch: 46, manifestId: 'a1b2c3d4', slot: 0, shelfPosition: 1, cardPosition: 0, arm: 7, question: 0, propensityNumerator: 8192, epsilonIndex: 2, epsilon: 1, symbol: 1 };
  }
  free() { this.freed = true; }
}

const METHODS = Object.getOwnPropertyNames(FakeCore.prototype).filter((name) => name !== 'constructor');
