// Publishes bundles the way `ears-lab publish` does, written a second time with Node's own cryptography, so that tests can also sign what
// no tool would.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';

export const DAY = 86_400_000;
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** JSON with sorted keys and no spaces. */
export const canonical = (value) => JSON.stringify(value, (_, inner) => inner && typeof inner === 'object' && !Array.isArray(inner)
  ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => a < b ? -1 : 1)) : inner);

/** The key pair of a name: the seed is its SHA-256. */
export function keyOf(name) {
  const secret = createPrivateKey({ key: Buffer.concat([PKCS8, Buffer.from(sha256(name), 'hex')]), format: 'der', type: 'pkcs8' });
  const bytes = createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32);
  return { name, secret, bytes, keyid: sha256(bytes), sign: (message) => sign(null, message, secret) };
}

/** A signed file: payload (an object, or a text taken as it is) and its keys. */
export function signed(role, payload, keys) {
  const body = Buffer.from(typeof payload === 'string' ? payload : canonical(payload));
  const payloadType = `application/vnd.ears-only.${role}+json`;
  const message = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `), body]);
  const signatures = keys.map((key) => ({ keyid: key.keyid, sig: key.sign(message).toString('base64') }));
  return Buffer.from(canonical({ payload: body.toString('base64'), payloadType, signatures }));
}

/** A root over keys by role. */
export function rootPayload({ version = 1, created, expires = created + 365 * DAY, roles, thresholds = {} }) {
  const all = Object.values(roles).flat();
  return {
    format: 1, version, created, expires,
    keys: Object.fromEntries(all.map((key) => [key.keyid, key.bytes.toString('base64')])),
    roles: Object.fromEntries(Object.entries(roles).map(([role, keys]) => [role, { keyids: keys.map((key) => key.keyid), threshold: thresholds[role] ?? 1 }])),
  };
}

/** A file in the shape of a bundle; the fake core reads nothing but the header. */
export function fakeBundle(header, padding = 0) {
  const text = Buffer.from(canonical(header));
  const head = Buffer.alloc(16);
  head.write('EARSBNDL');
  head.writeUInt32LE(1, 8);
  head.writeUInt32LE(text.length, 12);
  const body = Buffer.concat([head, text, Buffer.alloc(padding)]);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

/** A folder of published files, and the keys that made it. */
export class Publisher {
  files = new Map();
  roles = { root: [keyOf('root-1'), keyOf('root-2'), keyOf('root-3')], bundle: [keyOf('bundle-1')], channel: [keyOf('channel-1')] };
  thresholds = { root: 2 };

  constructor(now) {
    this.now = now;
    this.root();
    this.pinned = this.files.get('root.json').toString();
  }

  /** The next root; `raw` replaces fields of the payload as they are. */
  root({ raw, ...change } = {}, signers = this.roles.root) {
    this.version = (this.version ?? 0) + 1;
    const bytes = signed('root', {
      ...rootPayload({ version: this.version, created: this.now, roles: this.roles, thresholds: this.thresholds, ...change }), ...raw,
    }, signers);
    this.files.set('root.json', bytes).set(`${this.version}.root.json`, bytes);
    return bytes;
  }

  /** The next root, with other keys for some roles; signed by the old and the new root keys. */
  rotate(roles) {
    const signers = [...new Set([...this.roles.root, ...(roles.root ?? [])])];
    this.roles = { ...this.roles, ...roles };
    return this.root({}, signers);
  }

  /** Bundle, its signature and the channel file. */
  release(sequence, bytes = fakeBundle({ version: `model-${sequence}` }), { channel = 'stable', keys = this.roles.bundle, statement = {}, ...offer } = {}) {
    const release = { sequence, sha256: sha256(bytes), size: bytes.length };
    this.files.set(`${release.sha256}.bundle`, bytes);
    this.files.set(`${release.sha256}.${channel}-${sequence}.sig.json`,
      signed('bundle', { format: 1, channel, created: this.now, expires: this.now + 180 * DAY, ...release, ...statement }, keys));
    this.offer(release, { channel, ...offer });
    return release;
  }

  /** The channel file alone. */
  offer(release, { channel = 'stable', file = channel, channelKeys = this.roles.channel, ...change } = {}) {
    const payload = {
      format: 1, channel, created: this.now, expires: this.now + 7 * DAY, minSequence: 0, rolloutPermille: 1000, ...release, ...change,
    };
    this.files.set(`channel-${file}.json`, signed('channel', payload, channelKeys));
  }

  /** Answers as a host of static files does. */
  answer = async (url) => {
    const bytes = this.files.get(url.split('/').pop());
    if (typeof bytes === 'function') return bytes();
    return bytes === undefined ? new Response('not found', { status: 404 }) : new Response(bytes);
  };
}
