// Published bundles: which one the core runs, how a newer one is accepted, and what happens when one fails. Loaded only where the option
// `bundle` is given.
import { findChecks, toHex, type Checks } from './bundle-checks.js';
import { BUNDLE_DEADLINE_MS, FILE_DEADLINE_MS, fetchBytes, MAX_BUNDLE_BYTES, MAX_FILE_BYTES, Refusal, refusal } from './bundle-fetch.js';
import { decodeSigned, decodeState, encodeSigned, encodeState, freshState, type Signed, type Slot, type State } from './bundle-state.js';
import {
  CHANNEL, checkSigned, hasRevoked, isChosen, readChannel, readEnvelope, readHeader, readRoot, readStatement,
  type Channel, type Release, type Root,
} from './bundle-trust.js';
import type { Core, CoreModule, CoreProgram } from './core.js';
import type { Platform } from './platform.js';
import type { BundleOptions, StorageAdapter } from './types.js';

/** A signed time may be so far ahead of the device's clock, and the clock so far behind what was signed, before it is said. */
const CLOCK_TOLERANCE_MS = 24 * 3_600_000;
/** The longest way from a trusted root to the newest. */
const MAX_ROOTS = 256;
/** A release may be so far ahead of the last one: a stolen key cannot use up the sequences at once. */
const MAX_STEP = 1_000_000;
/** Bundles that stopped the core, remembered. */
const MAX_BAD = 16;
/** Visits that may end without a word before the bundle they began with is given up. */
const MAX_TRIES = 2;
/** Traps in one visit before a bundle that used to work is left. */
const MAX_TRAPS = 2;
/** What was found in order is not looked at again so soon, unless the app says otherwise. */
const CHECK_EVERY_MS = 3_600_000;

/** What a Home lends. */
export interface BundleHost {
  readonly platform: Platform;
  readonly program: CoreProgram;
  readonly model: unknown;
  readonly seed: Uint8Array | undefined;
  /** Everything is kept under keys that begin so. */
  readonly key: string;
  storage(): StorageAdapter;
  now(): number;
  mayWrite(): boolean;
  closing(): boolean;
  /** What the running core has learned. */
  snapshot(): Uint8Array | undefined;
  /** Puts the running core on another bundle. */
  replace(bytes: Uint8Array, header: unknown): void;
  report(thrown: unknown): void;
}

/** A release, or one whose size was checked when it was accepted. */
type Wanted = Omit<Release, 'size'> & Partial<Release>;

/** The compiled core on the newest bundle that passed every check. */
export class Bundles implements CoreProgram {
  readonly #host: BundleHost;
  readonly #options: BundleOptions;
  readonly #channel: string;
  #checks!: Checks;
  #root!: Root;
  #state!: State;
  /** The state is what is stored, and this tab is the one that writes. */
  #owns = false;
  /** The storage did not answer: the built-in model serves this visit, and what is stored stays as it is. */
  #unread = false;
  /** SHA-256 of the bundle that the core is on; a newer one may be waiting for the next visit. */
  #running = '';
  #traps = 0;
  #ranked = false;
  #writing: Promise<unknown> = Promise.resolve();
  #started: Promise<void> | undefined;

  constructor(options: BundleOptions, host: BundleHost) {
    this.#host = host;
    this.#options = options;
    this.#channel = options.channel ?? 'stable';
  }

  /** A fresh instance whose core is on the bundle. Only a core that cannot be had at all is a failure. */
  async instantiate(): Promise<CoreModule> {
    const { program, model, seed } = this.#host;
    await (this.#started ??= this.#start());
    for (let signed = await this.#usable(); signed !== undefined; signed = await this.#usable()) {
      const module = await program.instantiate();
      let core: Core;
      try {
        core = module.create(model, seed);
      } catch {
        // Not for the bundle's sake: the one who asks for a core shall hear it.
        return module;
      }
      try {
        use(core, signed.bytes);
        this.#running = this.#state.current?.sha256 ?? '';
        return { create: () => core };
      } catch (thrown) {
        this.#demote(thrown);
      }
    }
    this.#running = '';
    return program.instantiate();
  }

  /** Looks for a newer bundle. Never rejects. */
  async look(): Promise<void> {
    try {
      await this.#started;
      // Where starting failed, it was said.
      if (this.#root === undefined || !this.#host.mayWrite() || this.#host.closing()) return;
      // The tab that wrote until now may have come further.
      if (!this.#owns) await this.#load();
      const since = this.#host.now() - this.#state.checkedAt;
      if (since >= 0 && since < (this.#options.checkEveryMs ?? CHECK_EVERY_MS)) return;
      await this.#update();
      this.#change({ checkedAt: this.#host.now() });
      await this.#writing;
    } catch (thrown) {
      if (!this.#host.closing()) this.#host.report(thrown);
    }
  }

  /** A page was ranked. */
  ranked(): void {
    this.#ranked = true;
    if (this.#runningSlot()?.proven === false) this.#changeSlot({ proven: true, tries: 0 });
  }

  /** The visit ends, or pauses, with everything alive. */
  left(): void {
    if ((this.#runningSlot()?.tries ?? 0) > 0) this.#changeSlot({ tries: 0 });
  }

  /** The core stopped. */
  trapped(error: unknown): void {
    const slot = this.#runningSlot();
    if (slot && (!slot.proven || ++this.#traps >= MAX_TRAPS)) this.#demote(error);
  }

  // ---------------------------------------------------------------------------------------------------------- starting

  async #start(): Promise<void> {
    try {
      if (!CHANNEL.test(this.#channel)) throw refusal('bundle_malformed', `expected a channel like ${String(CHANNEL)}, got ${this.#channel}`);
      this.#checks = await findChecks(this.#host.platform.subtle);
      await this.#load();
    } catch (thrown) {
      this.#host.report(thrown);
    }
  }

  /** Takes up what is stored. From then on the tab that writes owns it. */
  async #load(): Promise<void> {
    const { root } = this.#options;
    const pinned = typeof root === 'string' ? root : JSON.stringify(root);
    this.#state = await this.#read(pinned);
    this.#owns = this.#host.mayWrite();
    const shipped = await this.#openRoot(pinned);
    this.#root = await this.#openRoot(this.#state.root).catch(() => shipped);
    // An app that ships a later root than the device has followed, or the stored one is broken.
    if (shipped.version > this.#root.version || shipped === this.#root) this.#useRoot(shipped, pinned);
  }

  async #read(pinned: string): Promise<State> {
    const fresh = freshState(this.#channel, pinned, this.#host.platform);
    const bytes = await this.#host.storage().get(this.#key('state'));
    if (bytes === undefined) return fresh;
    const kept = decodeState(bytes);
    if (kept === undefined) {
      this.#host.report(refusal('bundle_state_corrupt', 'what is stored of bundles cannot be read; it starts anew'));
      return fresh;
    }
    return kept.channel === this.#channel ? kept : { ...fresh, salt: kept.salt };
  }

  /** A root that its own keys have signed. */
  async #openRoot(text: string): Promise<Root> {
    const envelope = readEnvelope(new TextEncoder().encode(text), 'the root');
    const root = await readRoot(this.#checks, envelope);
    await checkSigned(this.#checks, root, 'root', envelope, `root ${root.version}`);
    return root;
  }

  /** The current bundle, or the next one that stands all checks. */
  async #usable(): Promise<Signed | undefined> {
    for (let slot = this.#slot(); slot !== undefined; slot = this.#slot()) {
      let stored: Signed | undefined;
      try {
        stored = await this.#stored(slot);
      } catch (thrown) {
        this.#unread = true;
        this.#host.report(thrown);
        return undefined;
      }
      try {
        return await this.#checkStored(slot, stored);
      } catch (thrown) {
        this.#demote(thrown);
      }
    }
    return undefined;
  }

  async #checkStored(slot: Slot, signed: Signed | undefined): Promise<Signed> {
    const { sequence, proven, tries } = slot;
    const { minSequence } = this.#state;
    if (tries >= MAX_TRIES) throw refusal('bundle_trapped', `${tries} visits began with bundle ${sequence} and none of them ranked a page`);
    if (sequence < minSequence) throw refusal('bundle_killed', `expected bundle ${minSequence} or a later one, found ${sequence} in the storage`);
    if (signed === undefined) throw refusal('bundle_hash', `expected bundle ${sequence} in the storage, found nothing of use`);
    await this.#checkBundle(slot, signed);
    // Written before it is used: a bundle that hangs the page must not be begun with for ever.
    if (!proven && this.#owns) {
      this.#changeSlot({ tries: tries + 1 });
      await this.#writing;
    }
    return signed;
  }

  // ---------------------------------------------------------------------------------------------------------- checking

  /** The later of the device's clock and the newest signed time: setting the clock back brings nothing expired to life. */
  #time(): number { return Math.max(this.#host.now(), this.#state.newest); }

  #notExpired(expires: number, what: string, code = 'bundle_expired'): void {
    if (expires <= this.#time()) throw refusal(code, `expected ${what} that is valid, found one that expired at ${date(expires)}`);
  }

  #notAhead(created: number, what: string): void {
    const now = this.#host.now();
    if (created > now + CLOCK_TOLERANCE_MS) {
      throw refusal('bundle_clock', `expected ${what} of before ${date(now)} (the device's clock), found one of ${date(created)}`);
    }
  }

  /** Everything that can be said of a bundle without running it. */
  async #checkBundle(wanted: Wanted, { signature, bytes }: Signed): Promise<void> {
    await this.#checkStatement(wanted, signature);
    const sha256 = toHex(await this.#checks.sha256(bytes));
    if (sha256 !== wanted.sha256) throw refusal('bundle_hash', `expected a bundle with SHA-256 ${wanted.sha256}, found ${sha256}`);
    this.#checkHeader(wanted, readHeader(bytes));
  }

  /** What the bundle says of itself: the first place it was made for, and until when it serves. Whatever else is in it is for the core to judge. */
  #checkHeader({ sequence }: Wanted, header: unknown): void {
    const { sequence: made, expires } = (header ?? {}) as { sequence?: unknown; expires?: unknown };
    if (typeof made === 'number' && made > sequence) {
      throw refusal('bundle_mixed', `expected a bundle made for sequence ${sequence} or an earlier one, found one for ${made}`);
    }
    if (typeof expires === 'number') this.#notExpired(expires, `bundle ${sequence}`);
  }

  async #checkStatement(wanted: Wanted, signature: Uint8Array): Promise<void> {
    const what = `the signature of bundle ${wanted.sequence}`;
    const envelope = readEnvelope(signature, what);
    await checkSigned(this.#checks, this.#root, 'bundle', envelope, what);
    const found = readStatement(envelope);
    if (found.channel !== this.#channel) throw refusal('bundle_foreign', `expected ${what} for channel ${this.#channel}, found ${found.channel}`);
    for (const name of ['sequence', 'sha256', 'size'] as const) {
      if (wanted[name] !== undefined && found[name] !== wanted[name]) {
        throw refusal('bundle_mixed', `expected ${what} with ${name} ${wanted[name]}, found ${found[name]}`);
      }
    }
    // Once accepted, it stays so under a clock that was set back.
    if (wanted.size !== undefined) this.#notAhead(found.created, what);
    this.#notExpired(found.expires, what);
  }

  #checkChannel(found: Channel): void {
    const what = 'the channel file';
    const { created, highest } = this.#state;
    if (found.channel !== this.#channel) throw refusal('bundle_foreign', `expected ${what} of ${this.#channel}, found ${found.channel}`);
    this.#notAhead(found.created, what);
    this.#notExpired(found.expires, what);
    if (found.created < created) throw refusal('bundle_rollback', `expected ${what} of ${date(created)} or later, found ${date(found.created)}`);
    for (const { sequence } of [found, ...(found.others ? [found.others] : [])]) {
      if (sequence > highest + MAX_STEP) {
        throw refusal('bundle_fast_forward', `expected a sequence of at most ${highest + MAX_STEP}, found ${sequence}`);
      }
    }
    if (found.sequence < highest) throw refusal('bundle_rollback', `expected bundle ${highest} or a later one, found ${found.sequence}`);
  }

  // ---------------------------------------------------------------------------------------------------------- updating

  async #update(): Promise<void> {
    const behind = this.#state.newest - this.#host.now();
    if (behind > CLOCK_TOLERANCE_MS) {
      this.#host.report(refusal('bundle_clock', `the device's clock stands ${Math.round(behind / 3_600_000)} hours before the newest signed file`));
    }
    await this.#newestRoot();
    const envelope = readEnvelope(await this.#file(`channel-${this.#channel}.json`), 'the channel file');
    await checkSigned(this.#checks, this.#root, 'channel', envelope, 'the channel file');
    const channel = readChannel(envelope);
    this.#checkChannel(channel);
    this.#change({ created: channel.created, newest: Math.max(this.#state.newest, channel.created), minSequence: channel.minSequence });
    await this.#writing;
    const { salt, bad, current, highest } = this.#state;
    const chosen = await isChosen(this.#checks, salt, channel.sequence, channel.rolloutPermille);
    const wanted = chosen ? channel : channel.others;
    // Whoever has the release already keeps it when it is offered to fewer devices.
    if (wanted === undefined || wanted.sequence < highest) return;
    if (wanted.sequence < channel.minSequence) {
      throw refusal('bundle_killed', `expected bundle ${channel.minSequence} or a later one, found ${wanted.sequence}`);
    }
    if (current?.sequence === wanted.sequence && current.sha256 !== wanted.sha256) {
      throw refusal('bundle_mixed', `expected bundle ${current.sequence} with SHA-256 ${current.sha256}, found ${wanted.sha256}`);
    }
    if (bad.includes(wanted.sha256) || await this.#has(wanted)) return;
    await this.#accept(wanted, await this.#fetchBundle(wanted));
  }

  /** Follows the roots from the trusted one to the newest. */
  async #newestRoot(): Promise<void> {
    const served = await this.#file('root.json');
    const { version } = await readRoot(this.#checks, readEnvelope(served, 'the root'));
    if (version < this.#root.version) {
      throw refusal('bundle_rollback', `expected root ${this.#root.version} or a later one, found ${version}`);
    }
    let root = this.#root;
    let text: string | undefined;
    for (let steps = 0; root.version < version && steps < MAX_ROOTS; steps++) {
      const what = `root ${root.version + 1}`;
      const bytes = root.version + 1 === version ? served : await this.#file(`${root.version + 1}.root.json`);
      const envelope = readEnvelope(bytes, what);
      const next = await readRoot(this.#checks, envelope);
      if (next.version !== root.version + 1) throw refusal('bundle_mixed', `expected ${what}, found root ${next.version}`);
      await checkSigned(this.#checks, root, 'root', envelope, what);
      await checkSigned(this.#checks, next, 'root', envelope, what);
      root = next;
      text = new TextDecoder().decode(bytes);
    }
    this.#notExpired(root.expires, `root ${root.version}`, 'bundle_root_expired');
    // Only now: of a chain that ends in a root that counts for nothing, no part is trusted.
    if (text !== undefined) this.#useRoot(root, text);
    await this.#writing;
  }

  /** Trusts a root. What the holder of a revoked key may have driven too far is forgotten. */
  #useRoot(root: Root, text: string): void {
    const channelRevoked = hasRevoked(this.#root, root, 'channel');
    const bundleRevoked = hasRevoked(this.#root, root, 'bundle');
    this.#root = root;
    this.#change({
      root: text,
      ...(channelRevoked ? { created: 0, newest: 0, minSequence: 0 } : {}),
      ...(bundleRevoked ? { highest: 0 } : {}),
    });
  }

  /** Whether the current bundle is this release, and its signature still counts. */
  async #has({ sequence }: Release): Promise<boolean> {
    const { current } = this.#state;
    if (current?.sequence !== sequence) return false;
    const stored = await this.#stored(current);
    return stored !== undefined && await this.#checkStatement(current, stored.signature).then(() => true, () => false);
  }

  async #stored({ place }: Slot): Promise<Signed | undefined> {
    const stored = await this.#host.storage().get(this.#key(place));
    return stored && decodeSigned(stored);
  }

  async #fetchBundle(wanted: Release): Promise<Signed> {
    const signature = await this.#file(`${wanted.sha256}.${this.#channel}-${wanted.sequence}.sig.json`, 'default');
    await this.#checkStatement(wanted, signature);
    const bytes = await this.#known(wanted.sha256) ?? await fetchBytes(this.#host.platform, {
      url: this.#url(`${wanted.sha256}.bundle`), limit: Math.min(wanted.size, MAX_BUNDLE_BYTES), deadlineMs: BUNDLE_DEADLINE_MS, cache: 'default',
    });
    if (bytes.length !== wanted.size) throw refusal('bundle_size', `expected a bundle of ${wanted.size} bytes, found ${bytes.length}`);
    const signed = { signature, bytes };
    await this.#checkBundle(wanted, signed);
    return signed;
  }

  /** Bytes that are here already: an emergency goes back to them under a higher sequence. */
  async #known(sha256: string): Promise<Uint8Array | undefined> {
    const slot = [this.#state.good, this.#state.current].find((one) => one?.sha256 === sha256);
    return slot && (await this.#stored(slot))?.bytes;
  }

  /** Tries the bundle on a core of its own, keeps it, and only then trusts it. */
  async #accept(wanted: Release, signed: Signed): Promise<void> {
    await this.#rehearse(wanted, signed.bytes);
    if (this.#host.closing()) return;
    const { current, good } = this.#state;
    const same = [current, good].find((one) => one?.sha256 === wanted.sha256);
    const kept = current?.proven && current !== same ? current : good;
    const place = kept?.place === 'a' ? 'b' : 'a';
    await this.#host.storage().put(this.#key(place), encodeSigned(signed), 'strict');
    const slot: Slot = { place, sequence: wanted.sequence, sha256: wanted.sha256, proven: same?.proven ?? false, tries: 0 };
    this.#change({ current: slot, good: kept, highest: wanted.sequence });
    await this.#writing;
    if (this.#ranked || this.#host.closing()) return;
    this.#unread = false;
    this.#traps = 0;
    this.#running = wanted.sha256;
    this.#host.replace(signed.bytes, readHeader(signed.bytes));
  }

  /** A core that nobody looks at takes the bundle and what was learned here. */
  async #rehearse(wanted: Release, bytes: Uint8Array): Promise<void> {
    const { program, model, seed } = this.#host;
    const module = await program.instantiate();
    let core: Core | undefined;
    try {
      core = module.create(model, seed);
      use(core, bytes);
      const snapshot = this.#host.snapshot();
      if (snapshot) core.restore(snapshot);
      core.free();
    } catch (thrown) {
      const error = judged(wanted.sequence, thrown);
      if (error.code === 'bundle_trapped') this.#change({ bad: this.#withBad(wanted.sha256) });
      throw error;
    }
  }

  // ------------------------------------------------------------------------------------------------------------ keeping

  #slot(): Slot | undefined { return this.#unread ? undefined : this.#state?.current; }

  /** The slot the core runs on, unless that is no longer the current one. */
  #runningSlot(): Slot | undefined {
    const slot = this.#slot();
    return slot?.sha256 === this.#running ? slot : undefined;
  }

  #withBad(sha256: string): readonly string[] { return [...this.#state.bad, sha256].slice(-MAX_BAD); }

  /** Leaves the current bundle for the last good one, or for the built-in model. */
  #demote(thrown: unknown): void {
    const slot = this.#slot();
    if (slot === undefined) return;
    const error = judged(slot.sequence, thrown);
    this.#traps = 0;
    this.#change({
      current: this.#state.good,
      good: undefined,
      ...(error.code === 'bundle_trapped' ? { bad: this.#withBad(slot.sha256) } : {}),
    });
    this.#host.report(error);
  }

  #changeSlot(change: Partial<Slot>): void {
    const slot = this.#slot();
    if (slot) this.#change({ current: { ...slot, ...change } });
  }

  /** Goes on from the changed state and writes it, one write after the other. */
  #change(change: Partial<State>): void {
    const state = this.#state = { ...this.#state, ...change };
    if (!this.#owns) return;
    this.#writing = this.#writing.then(() => this.#host.storage().put(this.#key('state'), encodeState(state), 'strict'))
      .catch((thrown: unknown) => { if (!this.#host.closing()) this.#host.report(thrown); });
  }

  #key(name: string): string { return `${this.#host.key}${name}`; }

  #url(name: string): string { return `${String(this.#options.url).replace(/\/*$/, '/')}${name}`; }

  #file(name: string, cache: RequestCache = 'no-cache'): Promise<Uint8Array> {
    return fetchBytes(this.#host.platform, { url: this.#url(name), limit: MAX_FILE_BYTES, deadlineMs: FILE_DEADLINE_MS, cache });
  }
}

/** Puts a core on a bundle and asks it what a Home will ask first. */
function use(core: Core, bytes: Uint8Array): void {
  core.setBundle(bytes, readHeader(bytes));
  core.configuration();
}

function date(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? `${ms} ms` : time.toISOString();
}

/** What a failure with a bundle comes to. What the core refuses has a code of the core's; a trap has none. */
function judged(sequence: number, thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown;
  const { code } = thrown as { code?: unknown };
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  // Not a trap: the app gave another core than the one that takes bundles.
  if (thrown instanceof TypeError) return refusal('bundle_refused', `this core takes no bundles, core_bg.wasm does: ${message}`, thrown);
  return typeof code !== 'string' || code === 'panic'
    ? refusal('bundle_trapped', `bundle ${sequence} stopped the core: ${message}`, thrown)
    : refusal('bundle_refused', `the core refused bundle ${sequence}: ${message} (${code})`, thrown);
}
