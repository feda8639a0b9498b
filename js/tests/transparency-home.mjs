// A Home with records of every kind, for a page that shows what left. No imports, so that a browser can run it.
const FIRST_MONDAY = Date.UTC(2026, 0, 5);
const WEEK = 7 * 24 * 3_600_000;

/** The 16 bytes of a record. */
export function recordBytes({ version = 1, epoch = 46, manifest = 0xa1b2c3d4, slot = 0, shelf = 0, card = 0, arm = 0, question = 0, propensity = 8192, level = 2, symbol = 0 }) {
  const fields = [[version, 4], [epoch, 12], [manifest, 32], [slot, 4], [shelf, 5], [card, 5], [arm, 10], [question, 6], [propensity, 16], [level, 3], [symbol, 6], [0, 25]];
  const bits = fields.map(([value, length]) => value.toString(2).padStart(length, '0')).join('');
  return Uint8Array.from(bits.match(/.{8}/g), (byte) => parseInt(byte, 2));
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** A record in the form of `outbox()`. `sentence` makes its words. */
export function recordOf(change, more, sentence) {
  const parts = { epoch: 46, arm: 3, propensity: 8192, symbol: 1, shelf: 1, card: 0, question: 0, slot: 0, ...change };
  const bytes = recordBytes(parts);
  const fields = {
    version: 1, epoch: parts.epoch, manifestId: 'a1b2c3d4', slot: parts.slot, shelfPosition: parts.shelf, cardPosition: parts.card, arm: parts.arm, question: parts.question,
    propensityNumerator: parts.propensity, epsilonIndex: 2, epsilon: 1, symbol: parts.symbol, ...more.fields,
  };
  const at = FIRST_MONDAY + parts.epoch * WEEK + 3 * WEEK / 7;
  return {
    bytes, hex: hex(bytes), nonce: hex(Uint8Array.from({ length: 16 }, (_, i) => (parts.epoch * 37 + i * 71 + 11) & 255)), fields, sentence: sentence(fields),
    state: 'sent', sendAfter: at, sentAt: at + 60_000, attempts: 1, ...more.record,
  };
}

/** One of each kind, newest first. */
export function everyKind(sentence) {
  const make = (change, fields, record = {}) => recordOf(change, { fields, record }, sentence);
  return [
    make({ epoch: 46, symbol: 1 }, { kind: 'vote', questionName: 'vote', answers: 2, armName: 'shelves-2' }, { state: 'waiting', sentAt: undefined, attempts: 0 }),
    make({ epoch: 45, symbol: 2, card: 1 }, { kind: 'card', questionName: 'how_long', answers: 4, armName: 'album:kind-of-blue' }),
    make({ epoch: 44, symbol: 0, shelf: 2 }, { kind: 'shelf', questionName: 'played_30s', answers: 2, armName: 'popular' }),
    make({ epoch: 43, symbol: 1 }, { kind: 'policy', questionName: 'played_30s', answers: 2, armName: 'warmer-1' }),
    make({ epoch: 42, symbol: 0, arm: 17 }, { kind: 'training', questionName: 'played_30s', answers: 2, armName: 'seed 8, minus' }, { state: 'refused', sentAt: undefined, attempts: 4 }),
    make({ epoch: 41, symbol: 1, arm: 7 }, {}),
  ];
}

/** A Home as far as the element asks it; `log` has what it was told. */
export function shownHome(records, change = {}) {
  const listeners = new Set();
  const home = {
    log: [],
    view: {
      records, budget: { epsilonSpent: 3, epsilonLeft: 1, epsilonSpentYear: 6, epsilonLeftYear: 46, epsilonPerRecord: 1, recordsThisPeriod: 3 },
      contribution: { state: 'scheduled', dueAt: FIRST_MONDAY + 47 * WEEK, epsilonSpent: 3, epsilonLeft: 1, recordsThisPeriod: 3 }, ...change,
    },
    consent: { personalize: true, contribute: true },
    async outbox() { return home.view; },
    async setConsent(consent) {
      home.log.push(['setConsent', consent]);
      home.consent = { ...home.consent, ...consent };
      home.tell();
    },
    async reset() {
      home.log.push(['reset']);
      home.view = { ...home.view, records: [] };
      home.tell();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tell() { for (const listener of listeners) listener(); },
    listeners,
  };
  return home;
}
