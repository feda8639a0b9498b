// What a published file says, once enough of the right keys have signed it.
import { fromHex, toHex, type Checks } from './bundle-checks.js';
import { MAX_BUNDLE_BYTES, MAX_FILE_BYTES, refusal } from './bundle-fetch.js';

/** Most keys of a root, and most signatures of a file. */
const MAX_KEYS = 64;
/** A sequence, version or time beyond this is none. */
const MAX_NUMBER = Number.MAX_SAFE_INTEGER;

export type Role = 'root' | 'bundle' | 'channel';

/** A signed file: DSSE (Dead Simple Signing Envelope, version 1). */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly { readonly keyid: string; readonly sig: Uint8Array }[];
}

/** Who may sign what. */
export interface Root {
  readonly version: number;
  readonly created: number;
  readonly expires: number;
  /** Public keys by their id, which is their SHA-256. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
  readonly roles: Readonly<Record<Role, { readonly keyids: readonly string[]; readonly threshold: number }>>;
}

/** One published bundle. */
export interface Release {
  readonly sequence: number;
  readonly sha256: string;
  readonly size: number;
}

/** What a channel offers. */
export interface Channel extends Release {
  readonly channel: string;
  readonly created: number;
  readonly expires: number;
  /** Bundles with a smaller sequence are switched off. */
  readonly minSequence: number;
  /** How many devices of a thousand take the release. */
  readonly rolloutPermille: number;
  /** For the devices that do not. */
  readonly others: Release | undefined;
}

/** What the key of the bundle role vouches for. */
export interface Statement extends Release {
  readonly channel: string;
  readonly created: number;
  readonly expires: number;
}

// --------------------------------------------------------------------------------------------------------- envelopes

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Reads an envelope; nothing of it is trusted yet. */
export function readEnvelope(bytes: Uint8Array, what: string): Envelope {
  const fields = new Fields(parse(bytes, what), what);
  const signatures = fields.list('signatures', MAX_KEYS).map((signature) => {
    const one = new Fields(signature, `a signature of ${what}`);
    return { keyid: one.text('keyid', /^[0-9a-f]{64}$/), sig: one.base64('sig', 64) };
  });
  return { payloadType: fields.text('payloadType', /^[\x20-\x7e]{1,100}$/), payload: fields.base64('payload'), signatures };
}

/** What is signed: type and payload with their lengths (DSSE, PAE). */
function preAuthentication({ payloadType, payload }: Envelope): Uint8Array {
  const head = new TextEncoder().encode(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `);
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}

/** Refuses a file unless enough keys of the role have signed it. One key counts once. */
export async function checkSigned(checks: Checks, root: Root, role: Role, envelope: Envelope, what: string): Promise<void> {
  const type = `application/vnd.ears-only.${role}+json`;
  if (envelope.payloadType !== type) {
    throw refusal('bundle_mixed', `expected ${what} of type ${type}, found ${envelope.payloadType}`);
  }
  const { keyids, threshold } = root.roles[role];
  const message = preAuthentication(envelope);
  const good = new Set<string>();
  for (const { keyid, sig } of envelope.signatures) {
    const key = keyids.includes(keyid) ? root.keys.get(keyid) : undefined;
    if (key !== undefined && !good.has(keyid) && await checks.verify(key, message, sig)) good.add(keyid);
  }
  if (good.size < threshold) {
    throw refusal('bundle_signature', `expected ${what} with ${threshold} signatures of the ${role} keys in root ${root.version}, found ${good.size}`);
  }
}

// ---------------------------------------------------------------------------------------------------------- payloads

/** Reads a root and checks that it keeps to its own rules. */
export async function readRoot(checks: Checks, { payload }: Envelope): Promise<Root> {
  const what = 'the root';
  const fields = new Fields(parse(payload, what), what);
  fields.format();
  const keys = new Map<string, Uint8Array>();
  const listed = Object.entries(fields.object('keys'));
  if (listed.length > MAX_KEYS) throw malformed(what, `at most ${MAX_KEYS} keys`, listed.length);
  for (const [keyid, key] of listed) {
    const bytes = fromBase64(key, `key ${keyid} of ${what}`, 32);
    // So that no key can count twice under two names.
    if (toHex(await checks.sha256(bytes)) !== keyid) throw malformed(what, 'key ids that are the SHA-256 of their keys', keyid);
    keys.set(keyid, bytes);
  }
  const given = new Fields(fields.object('roles'), `the roles of ${what}`);
  const role = (name: Role) => {
    const one = new Fields(given.object(name), `role ${name} of ${what}`);
    const keyids = one.list('keyids', MAX_KEYS).map(String);
    if (new Set(keyids).size !== keyids.length || !keyids.every((keyid) => keys.has(keyid))) {
      throw malformed(`role ${name} of ${what}`, 'different ids of listed keys', keyids.length);
    }
    return { keyids, threshold: one.whole('threshold', 1, keyids.length) };
  };
  return {
    version: fields.whole('version', 1),
    ...fields.times(),
    keys,
    roles: { root: role('root'), bundle: role('bundle'), channel: role('channel') },
  };
}

/** Reads what a channel offers. */
export function readChannel({ payload }: Envelope): Channel {
  const what = 'the channel file';
  const fields = new Fields(parse(payload, what), what);
  fields.format();
  const given = fields.value('others');
  const others = given === undefined || given === null ? undefined : new Fields(given, `others in ${what}`).release();
  const release = fields.release();
  if (others !== undefined && others.sequence >= release.sequence) {
    throw malformed(what, `others before bundle ${release.sequence}`, others.sequence);
  }
  return {
    channel: fields.text('channel', CHANNEL),
    ...fields.times(),
    ...release,
    minSequence: fields.whole('minSequence', 0),
    rolloutPermille: fields.whole('rolloutPermille', 0, 1000),
    others,
  };
}

/** Reads what is vouched for. */
export function readStatement({ payload }: Envelope): Statement {
  const what = "the bundle's signature file";
  const fields = new Fields(parse(payload, what), what);
  fields.format();
  return { channel: fields.text('channel', CHANNEL), ...fields.times(), ...fields.release() };
}

/** Whether a key of the role has lost its say from one root to the next. */
export function hasRevoked(from: Root, to: Root, role: Role): boolean {
  return from.roles[role].keyids.some((keyid) => !to.roles[role].keyids.includes(keyid));
}

// ----------------------------------------------------------------------------------------------------------- reading

/** Name of a channel: it is part of file names. */
export const CHANNEL = /^[a-z0-9][a-z0-9-]{0,39}$/;

function malformed(what: string, expected: string, found: unknown): Error {
  return refusal('bundle_malformed', `expected ${what} with ${expected}, found ${String(found).slice(0, 60)}`);
}

function parse(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > MAX_FILE_BYTES) throw malformed(what, `at most ${MAX_FILE_BYTES} bytes`, bytes.length);
  let text = '';
  try {
    text = decoder.decode(bytes);
    return JSON.parse(text) as unknown;
  } catch {
    throw malformed(what, 'JSON in it', JSON.stringify(text.slice(0, 40)));
  }
}

function fromBase64(value: unknown, what: string, length?: number): Uint8Array {
  if (typeof value !== 'string' || !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)) {
    throw malformed(what, 'base64', typeof value);
  }
  const bytes = Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
  if (length !== undefined && bytes.length !== length) throw malformed(what, `${length} bytes in base64`, bytes.length);
  return bytes;
}

/** An object from outside, field by field. */
class Fields {
  readonly #fields: object;
  readonly #what: string;

  constructor(value: unknown, what: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(what, 'an object in it', JSON.stringify(value));
    this.#fields = value;
    this.#what = what;
  }

  value(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? (this.#fields as Record<string, unknown>)[name] : undefined;
  }

  object(name: string): object {
    const value = this.value(name);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(this.#what, `an object ${name}`, value);
    return value;
  }

  list(name: string, most: number): readonly unknown[] {
    const value = this.value(name);
    if (!Array.isArray(value) || value.length > most) {
      throw malformed(this.#what, `a list ${name} of at most ${most}`, Array.isArray(value) ? value.length : value);
    }
    return value;
  }

  text(name: string, like: RegExp): string {
    const value = this.value(name);
    if (typeof value !== 'string' || !like.test(value)) throw malformed(this.#what, `${name} like ${String(like)}`, value);
    return value;
  }

  base64(name: string, length?: number): Uint8Array { return fromBase64(this.value(name), `${name} of ${this.#what}`, length); }

  whole(name: string, least: number, most = MAX_NUMBER): number {
    const value = this.value(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
      throw malformed(this.#what, `a whole number ${name} from ${least} to ${most}`, value);
    }
    return value;
  }

  format(): void { this.whole('format', 1, 1); }

  times(): { readonly created: number; readonly expires: number } {
    const created = this.whole('created', 0);
    return { created, expires: this.whole('expires', created) };
  }

  release(): Release {
    return { sequence: this.whole('sequence', 1), sha256: this.text('sha256', /^[0-9a-f]{64}$/), size: this.whole('size', 1, MAX_BUNDLE_BYTES) };
  }
}

// ------------------------------------------------------------------------------------------------------------- bundle

const MAGIC = 'EARSBNDL';
const HEADER_AT = 16;

/** The header of a bundle as plain data; what is in it is for the core to judge. */
export function readHeader(bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  if (bytes.length < HEADER_AT || magic !== MAGIC) throw malformed('a bundle', `${MAGIC} first`, JSON.stringify(magic));
  const length = view.getUint32(12, true);
  if (length > bytes.length - HEADER_AT) throw malformed('a bundle', `a header within its ${bytes.length} bytes`, length);
  try {
    return JSON.parse(decoder.decode(bytes.subarray(HEADER_AT, HEADER_AT + length))) as unknown;
  } catch (thrown) {
    throw malformed('a bundle', 'a header of JSON', thrown);
  }
}

/** Whether this device takes the release: the first 32 bits of SHA-256(salt, sequence as 64 bits, high byte first), modulo 1000. */
export async function isChosen(checks: Checks, salt: string, sequence: number, permille: number): Promise<boolean> {
  const message = new Uint8Array(24);
  message.set(fromHex(salt));
  const view = new DataView(message.buffer);
  view.setBigUint64(16, BigInt(sequence));
  const digest = await checks.sha256(message);
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0) % 1000 < permille;
}
