// What may leave this device, and the one order in which it may: the outcome is ready, the budget is debited, the
// ledger is on disk, then the record is made, then it is in the outbox, then, a day or more later, it is sent. A failure
// anywhere loses a record; it never spends twice and never makes a record that was not paid for.
import type { Core } from './core.js';
import type { HomeError } from './errors.js';
import type { Outbox, OutboxEntry } from './outbox.js';
import { fromHex, present, recordOf, toHex } from './outbox.js';
import type { Platform } from './platform.js';
import { bodyOf, GIVE_UP_AFTER_MS, type MakeError, NONCE_BYTES, RECORD_BYTES, retryDelay, sendingDelay, transportOf } from './transport.js';
import type { RecordFields, StorageAdapter, UploadOptions } from './types.js';

/** Privacy ledger: one per origin, whatever the namespace. */
const LEDGER_KEY = 'ledger';

const HOUR_MS = 3_600_000;
/** Probes that may be over and waiting at once, one more than the core keeps. */
const MOST_PROBES = 5;
const FIRST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 3_600_000;

export interface ContributeHost {
  readonly platform: Platform;
  readonly storage: StorageAdapter;
  readonly outbox: Outbox;
  readonly upload: UploadOptions;
  /** Uniform in [0, 1); decides when, never what. */
  readonly random: () => number;
  now(): number;
  /** Whether the listener agreed, no signal of the browser says no, and this tab writes to a storage that keeps. */
  mayContribute(): boolean;
  withCore<T>(run: (core: Core) => T): T;
  /** Where the contribution stands, as far as there is a core that knows. */
  contribution(): ReturnType<Core['contribution']> | undefined;
  error: MakeError;
  report(error: HomeError): void;
}

export class Contributor {
  readonly #host: ContributeHost;
  #prepared = false;
  #queue: Promise<unknown> = Promise.resolve();
  #manifest: Uint8Array | undefined;
  /** The ledger as it is on disk, as far as this tab knows. */
  #known: Uint8Array | undefined;
  /** Whether there was a ledger on disk on this page. */
  #begun = false;
  #stopped = false;
  #ledgerTurn: Promise<unknown> = Promise.resolve();
  #failures = 0;
  #prepareAfter = 0;

  constructor(host: ContributeHost) { this.#host = host; }

  /** Makes and sends nothing more. */
  stop(): void { this.#stopped = true; }

  /** The core was replaced: it has to hear of ledger and manifest again. */
  coreReplaced(): void { this.#prepared = false; }

  /** Makes and sends what is due. Never rejects; returns how many records were delivered. */
  work(): Promise<number> {
    const done = this.#queue.then(() => this.#work());
    this.#queue = done;
    return done;
  }

  /** Resolves once nothing is under way. */
  async idle(): Promise<void> { await this.#queue; }

  /** Forgets an earlier failure, so that the next `work` tries again at once. */
  retry(): void { this.#prepareAfter = 0; }

  /** Drops what has not left, after whatever is under way. Rejects when that could not be stored. */
  dropWaiting(): Promise<void> {
    const done = this.#queue.then(() => this.#host.outbox.dropWaiting());
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** When something waits for its time next, or nothing. */
  nextTime(): number | undefined {
    const times = this.#host.outbox.waiting.map((entry) => entry.nextTryAt);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  async #work(): Promise<number> {
    if (this.#stopped || !this.#host.mayContribute()) return 0;
    try {
      if (!this.#prepared) await this.#prepareInTime();
      for (let probes = 0; probes < MOST_PROBES && this.#prepared && !this.#stopped && this.#host.mayContribute(); probes++) {
        if (!await this.#make()) break;
      }
    } catch (thrown) {
      this.#host.report(this.#host.error(thrown, 'contribution_failed'));
    }
    return this.#send();
  }

  async #prepareInTime(): Promise<void> {
    if (this.#host.platform.now() < this.#prepareAfter) return;
    try {
      await this.#prepare();
      this.#failures = 0;
    } catch (thrown) {
      this.#prepareAfter = this.#host.platform.now() + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++);
      throw thrown;
    }
  }

  /** Gives the core the ledger and the manifest. */
  async #prepare(): Promise<void> {
    const { withCore } = this.#host;
    this.#known = undefined;
    await this.#underLedgerLock(async () => {
      if (this.#begun) await this.#ledgerOnDisk();
      else if (await this.#readLedger() === undefined) await this.#writeLedger(withCore((core) => core.startLedger(this.#host.now())));
      this.#begun = true;
    });
    const manifest = this.#manifest ??= await this.#fetchManifest();
    if (manifest === undefined) {
      this.#prepared = true;
      return;
    }
    try {
      const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(manifest));
      withCore((core) => core.setManifest(manifest, parsed));
      this.#prepared = true;
    } catch (thrown) {
      this.#manifest = undefined;
      throw this.#host.error(thrown, 'manifest_unavailable');
    }
  }

  async #fetchManifest(): Promise<Uint8Array | undefined> {
    const source = this.#host.upload.manifest;
    if (source === undefined) return undefined;
    if (source instanceof Uint8Array) return source;
    try {
      if (typeof source === 'function') return await source();
      const response = await this.#host.platform.fetch(source, { credentials: 'omit', referrerPolicy: 'no-referrer' });
      if (!response.ok) throw new Error(`got HTTP status ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    } catch (thrown) {
      throw this.#host.error(new Error(`the manifest could not be had: ${String((thrown as Error)?.message ?? thrown)}`, { cause: thrown }), 'manifest_unavailable');
    }
  }

  /** Probe, debit, save, make, keep. Whether there was one that is over. */
  async #make(): Promise<boolean> {
    const { outbox, withCore } = this.#host;
    if (withCore((core) => core.contribution(this.#host.now())).state !== 'ready') return false;
    await this.#underLedgerLock(async () => {
      const now = this.#host.now();
      // Drawn first: where there is no entropy, nothing is spent. Never from the seed: a nonce that could be told would name the device.
      const nonce = this.#host.platform.entropy(NONCE_BYTES);
      await this.#ledgerOnDisk();
      const { sendAfter } = withCore((core) => core.contribution(now));
      const debited = withCore((core) => core.debit(now));
      if (debited === undefined) return;
      await this.#writeLedger(debited);
      if (!this.#host.mayContribute()) return;
      const record = withCore((core) => core.makeRecord());
      if (record.length !== RECORD_BYTES) {
        throw new Error(`expected a record of ${RECORD_BYTES} bytes, got ${record.length}`);
      }
      const fields = present<RecordFields>(withCore((core) => core.describeRecord(record)));
      // A record made late, after a vote or a long absence, does not leave with the visit that made it.
      const drawn = sendAfter ?? now + sendingDelay(this.#host.random());
      await outbox.add(nonce, record, fields, drawn > now + HOUR_MS ? drawn : now + apart(this.#host.random()));
    });
    return true;
  }

  async #send(): Promise<number> {
    const { outbox, report } = this.#host;
    const send = transportOf(this.#host);
    if (send === undefined) return 0;
    let delivered = 0;
    for (const entry of outbox.waiting) {
      const now = this.#host.now();
      if (now < entry.nextTryAt) continue;
      if (this.#stopped || !this.#host.mayContribute() || !outbox.entries.includes(entry)) break;
      try {
        // Counted before it is tried: a crash in between must not make it try without a pause for ever.
        entry.attempts++;
        entry.nextTryAt = now + retryDelay(entry.attempts, this.#host.random());
        // A record of before there were nonces gets its own now, on disk before anything leaves.
        entry.nonce ??= toHex(this.#host.platform.entropy(NONCE_BYTES));
        await outbox.save();
        // Taken back, or wiped, in the meantime.
        if (this.#stopped || !this.#host.mayContribute() || !outbox.entries.includes(entry)) break;
        const record = recordOf(entry);
        await send(bodyOf(fromHex(record.nonce), record.bytes), record);
        entry.state = 'sent';
        entry.sentAt = this.#host.now();
        delivered++;
        // Two that are due do not leave together, which would say that they are of one device.
        for (const other of outbox.waiting) {
          if (other !== entry) other.nextTryAt = Math.max(other.nextTryAt, now + apart(this.#host.random()));
        }
      } catch (thrown) {
        this.#failed(entry, now, this.#host.error(thrown, 'send_failed'));
      }
      if (entry.state !== 'waiting') await outbox.save().catch((thrown: unknown) => report(this.#host.error(thrown, 'storage_failed')));
    }
    return delivered;
  }

  #failed(entry: OutboxEntry, now: number, error: HomeError): void {
    if (error.code === 'send_refused' || now - entry.sendAfter > GIVE_UP_AFTER_MS) entry.state = 'refused';
    this.#host.report(error);
  }

  /** Saves what ranking wrote into the ledger: the coin of the week, and that its probe was shown. Never rejects. */
  async saveLedger(): Promise<void> {
    if (!this.#prepared || !this.#host.mayContribute()) return;
    try {
      // After the call that ranked has returned: looking at the ledger is none of its work.
      await undefined;
      const now = this.#host.withCore((core) => core.ledger());
      if (now === undefined || sameBytes(now, this.#known)) return;
      await this.#underLedgerLock(async () => {
        await this.#ledgerOnDisk();
        const ledger = this.#host.withCore((core) => core.ledger());
        if (ledger !== undefined && !sameBytes(ledger, this.#known)) await this.#writeLedger(ledger);
      });
    } catch (thrown) {
      this.#prepared = false;
      this.#host.report(this.#host.error(thrown, 'contribution_failed'));
    }
  }

  /**
   * The ledger on disk is the truth: where another tab or namespace has written since this one looked, the core takes
   * it over. Only under the lock.
   */
  async #readLedger(): Promise<Uint8Array | undefined> {
    const saved = await this.#host.storage.get(LEDGER_KEY);
    if (saved !== undefined && !sameBytes(saved, this.#known)) {
      this.#host.withCore((core) => core.restoreLedger(saved));
      this.#known = saved;
    }
    return saved;
  }

  /**
   * The same, once there was one: this tab's own may be older than what was deleted, so nothing is made on this page any more. The next
   * one begins a ledger that is fully spent.
   */
  async #ledgerOnDisk(): Promise<void> {
    if (await this.#readLedger() !== undefined) return;
    this.#prepared = false;
    throw new Error('the privacy ledger is gone from the storage');
  }

  async #writeLedger(bytes: Uint8Array): Promise<void> {
    await this.#host.storage.put(LEDGER_KEY, bytes, 'strict');
    this.#known = bytes.slice();
  }

  /** One at a time in this Home, and one at a time among the tabs. */
  #underLedgerLock(work: () => Promise<void>): Promise<void> {
    const { platform, storage } = this.#host;
    const name = storage.lockName === undefined ? undefined : `${storage.lockName}:ledger`;
    const turn = this.#ledgerTurn.then(() => underLock(platform, name, work));
    this.#ledgerTurn = turn.catch(() => undefined);
    return turn;
  }
}

/** Runs `work` while holding the lock. Rejects where a shared storage has no locks: two tabs could both succeed. */
function underLock<T>(platform: Platform, lockName: string | undefined, work: () => Promise<T>): Promise<T> {
  if (lockName === undefined) return work();
  return new Promise<T>((resolve, reject) => {
    const waits = platform.lock(lockName, (held) => {
      work().then(resolve, reject).finally(() => held.release());
    });
    if (waits === undefined) reject(new Error('Web Locks are not available here'));
  });
}

/** Between an hour and a day: far enough from whatever else is seen of this device. */
function apart(random: number): number { return Math.floor(HOUR_MS + random * 23 * HOUR_MS); }

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((byte, index) => byte === b[index]);
}
