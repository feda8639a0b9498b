// The Home: what an app holds. It starts in the background, ranks at once, and never lets a failure reach a render.
import { baseline } from './baseline.js';
import { BeforeReady, MAX_EVENTS, MAX_PAGES } from './before-ready.js';
import type { Bundles } from './bundle.js';
import { completeConsent, decodeConsent, encodeConsent, withChoice } from './consent.js';
import type { Contribution } from './contribution.js';
import { guardedCore, type Core, type CoreParts, type CoreProgram, type LoadCore } from './core.js';
import { Engine } from './engine.js';
import { HomeError, toHomeError } from './errors.js';
import { completeEvent, type CompleteEvent } from './events.js';
import { apply, completeExclusion, excludedBy, NOTHING_EXCLUDED, type CompleteExclusion } from './exclusions.js';
import type { LastOrders } from './last-order.js';
import { afterPatience } from './patience.js';
import type { Platform, TabMessage } from './platform.js';
import { reason } from './reasons.js';
import { Saver } from './saver.js';
import { seedBytes, seededRandom } from './seed.js';
import { Keys, openStorage } from './storage.js';
import { memoryStorage } from './storage/memory.js';
import type {
  BundleOptions, CardInput, Consent, Context, Excluded, Exclusion, Explanation, FlushResult, HistoryPlay, Home, HomeEvent, HomeOptions,
  ImportReport, OutboxView, PageInput, RankedPage, Status, StatusReason, StorageAdapter, Summary,
} from './types.js';
import { warmUp } from './warm-up.js';
import { Writer } from './writer.js';

/** `rank` waits this long for a start before it gives the server's order, and `close` for what is under way. */
const PATIENCE_MS = 2000;
/** A core that stops more often than this is not started again. */
const MAX_RESTARTS = 5;
/** The longest the package sleeps while a record waits. */
const LONGEST_NAP_MS = 3_600_000;

const NO_SUMMARY: Summary = Object.freeze({
  events: 0, cards: 0, decisions: 0, pending: 0, updates: 0, historyEmpty: true, registered: 0,
});
const REASONS: Readonly<Record<string, StatusReason>> = {
  csp: 'csp', no_wasm: 'no-wasm', no_simd: 'no-simd', server: 'server', load: 'load', panic: 'panic',
};

/** Which core the options need. */
function partsFor({ model, bundle, upload }: HomeOptions): CoreParts {
  return model instanceof Uint8Array || bundle || upload ? 'full' : 'small';
}

/** Where a Home gets what it cannot make itself. */
export interface HomeParts {
  readonly platform: Platform;
  readonly loadCore: LoadCore;
}

export class HomeRuntime implements Home {
  readonly ready: Promise<Status>;
  readonly #options: HomeOptions;
  readonly #platform: Platform;
  readonly #loadCore: LoadCore;
  readonly #keys: Keys;
  readonly #saver: Saver;
  readonly #writer = new Writer();
  readonly #listeners = new Set<() => void>();
  readonly #random: () => number;

  #status: Status = Object.freeze({ state: 'loading', storage: 'none', encrypted: false, writer: false });
  #consent: Consent;
  #private = false;
  /** Whether the core believes that the listener contributes. */
  #told: OutboxView['stoppedBy'] = 'upload';
  /** What `setConsent` was told on this page. */
  #chosen: Partial<Consent> = {};
  #storage: StorageAdapter = memoryStorage();
  #storageKind: Status['storage'] = 'none';
  #encrypted = false;
  #storageProblem: HomeError | undefined;
  /** False once something is stored that could neither be read nor kept aside. */
  #mayOverwrite = true;
  #program: CoreProgram | undefined;
  #bundles: Bundles | undefined;
  /** What the core said of what it had learned under another model. */
  #learned = '';
  #engine: Engine | undefined;
  /** The engine of a core that stopped, until there is another core. */
  #parked: Engine | undefined;
  /** Why there is no engine, once that is known. */
  #failure: HomeError | undefined;
  #failureReason: StatusReason = 'load';
  #restarts = 0;
  /** How often everything was forgotten: a snapshot read before a wipe must not come back after it. */
  #wipes = 0;
  /** Orders of earlier visits, where there are any; later, those to keep. */
  #orders: LastOrders | undefined;
  /** What was ranked and is not yet among them. */
  #shown: RankedPage[] = [];
  /** Whether the core ranked a page. */
  #ranked = false;
  #reading: Promise<unknown> | undefined;
  /** How often they were dropped. */
  #drops = 0;
  /** What leaves. Those load it who agreed to that, have records, or look. */
  #contribution: Contribution | undefined;
  #loading: Promise<Contribution> | undefined;
  /** Whether it could not be loaded; not tried again on its own. */
  #unloadable = false;
  /** Whether there were records when this tab last looked. */
  #hasRecords = false;
  #channel: { send(message: TabMessage): void; close(): void } | undefined;
  #stopPageEvents: (() => void) | undefined;
  #timer: unknown;
  #closing: Promise<void> | undefined;

  #beforeReady = new BeforeReady();
  /** Events this tab saw while another one was the writer. */
  #readerEvents: CompleteEvent[] = [];

  constructor(options: HomeOptions, parts: HomeParts) {
    this.#options = options;
    this.#platform = parts.platform;
    this.#loadCore = parts.loadCore;
    this.#keys = new Keys(options.namespace ?? 'default');
    this.#consent = completeConsent(options.consent);
    this.#saver = new Saver(parts.platform, () => this.#save());
    this.#random = options.seed === undefined ? () => parts.platform.random() : seededRandom(options.seed);
    this.ready = this.#start().catch(async (thrown: unknown) => {
      // Whoever waits for a core that does not come is shown the order of the last visit.
      if (this.#reading) await this.#patiently(this.#reading);
      this.#fail(toHomeError(thrown, 'load'));
    }).then(() => this.#status);
    if (typeof Symbol.asyncDispose === 'symbol') {
      Object.defineProperty(this, Symbol.asyncDispose, { value: this.close });
    }
  }

  get status(): Status { return this.#status; }

  get consent(): Consent { return this.#consent; }

  get isPrivate(): boolean { return this.#private; }

  // -------------------------------------------------------------------------------------------------------- ranking

  readonly rankSync = ((page: PageInput, context?: Context): RankedPage => {
    const engine = this.#engine;
    try {
      if (!this.#consent.personalize) return baseline(page, this.#modelVersion());
      if (engine === undefined) {
        if (this.#mayStart()) this.#beforeReady.page(page, this.#private);
        // A page in place of one that the core broke, and one after the end, are in the server's order.
        return (this.#parked ?? this.#closing ? undefined : this.#orders?.again(page, this.#whyNot(), reason))
          ?? baseline(page, this.#modelVersion(), this.#whyNot());
      }
      this.#heed();
      const now = this.#now();
      const ranked = engine.rank(page, context, now, this.#platform.utcOffsetMinutes(now));
      this.#ranked = true;
      if (!this.#private) {
        // What the coin drew is on disk before anybody can have answered to it: it is not drawn again.
        void this.#contributor?.saveLedger();
        if (!ranked.probe) this.#shown = [...this.#shown, ranked].slice(-MAX_PAGES);
        this.#saver.touch();
      }
      this.#bundles?.ranked();
      return ranked;
    } catch (thrown) {
      const error = toHomeError(thrown, 'page_invalid');
      if (error.code !== 'panic') this.#report(error);
      return baseline(page, this.#modelVersion(), error);
    }
  }) as Home['rankSync'];

  readonly rank = (async (page: PageInput, context?: Context): Promise<RankedPage> => {
    if (this.#status.state === 'loading') await this.#patiently(this.ready);
    return this.rankSync(page, context);
  }) as Home['rank'];

  readonly serverOrder = ((page: PageInput): RankedPage => baseline(page, this.#modelVersion())) as Home['serverOrder'];

  readonly explain = (decisionId: string): Explanation => this.#mustHaveEngine().explain(decisionId);

  readonly marginals = (decisionId: string): Float64Array => this.#mustHaveEngine().core.marginals(decisionId);

  // ------------------------------------------------------------------------------------------------------- listening

  readonly track = (event: HomeEvent): void => {
    if (!this.#consent.personalize || this.#private || this.#closing) return;
    try {
      const complete = completeEvent(event, this.#now());
      // Whether or not there is a core to tell.
      if (complete.type.endsWith('hide')) this.#dropOrders();
      if (this.#engine) this.#observe(this.#engine, complete);
      else if (this.#mayStart()) this.#beforeReady.event(complete);
    } catch (thrown) {
      this.#report(toHomeError(thrown, 'event_invalid'));
    }
  };

  readonly registerCards = (cards: Iterable<CardInput>): void => {
    try {
      if (this.#engine) this.#engine.registerCards(cards);
      else if (this.#mayStart()) this.#beforeReady.cards.push(...cards);
    } catch (thrown) {
      this.#report(toHomeError(thrown, 'page_invalid'));
    }
  };

  readonly importHistory = async (
    plays: Iterable<HistoryPlay> | AsyncIterable<HistoryPlay>,
    options: { readonly onProgress?: (progress: { readonly done: number; readonly total?: number }) => void } = {},
  ): Promise<ImportReport> => {
    await this.ready;
    const { importHistory } = await this.#loaded(import('./import-history.js'));
    const report = await importHistory(plays, options.onProgress, {
      engine: () => {
        if (!this.#consent.personalize) throw new HomeError('not_personalized', 'history is kept only with the consent to personalize');
        if (this.#private) throw new HomeError('private', 'no history is taken in while listening privately');
        return this.#mustHaveEngine();
      },
      now: () => this.#now(),
      breathe: () => this.#platform.yieldToPage(),
    });
    await this.#saver.now();
    this.#notify();
    return report;
  };

  #observe(engine: Engine, event: CompleteEvent): void {
    engine.observe(event, this.#now());
    if (!this.#writer.active && this.#readerEvents.length < MAX_EVENTS) this.#readerEvents.push(event);
    this.#saver.touch(event.type !== 'impression' && event.type !== 'progress');
    this.#notify();
  }

  // --------------------------------------------------------------------------------------------- what leaves, consent

  readonly setConsent = async (change: Partial<Consent>): Promise<void> => {
    this.#chosen = withChoice(this.#chosen, change);
    this.#useConsent(completeConsent(withChoice(this.#consent, change)));
    await this.ready;
    const consent = this.#consent;
    this.#channel?.send({ type: 'consent', ...consent });
    const dropped = consent.contribute ? undefined : this.#dropWaiting();
    await Promise.all([this.#storage.put(this.#keys.consent, encodeConsent(consent), 'strict'), dropped]);
    await this.#contribute();
  };

  readonly setPrivate = (on: boolean): void => {
    if (on === this.#private || this.#closing) return;
    this.#private = on;
    this.#tellPrivate(on);
    // What came before is saved now; what comes is not.
    if (on) void this.#saver.now();
    else void this.#contribute();
    this.#notify();
  };

  #tellPrivate(on: boolean): void {
    this.#quietly(() => this.#engine?.core.setPrivate(on, this.#now()));
  }

  readonly exclude = async (what: Exclusion): Promise<number> => Number(await this.#control('exclude', what));

  readonly include = async (what: Exclusion): Promise<boolean> => await this.#control('include', what) === true;

  readonly excluded = (): Excluded =>
    this.#quietly(() => this.#engine && excludedBy(this.#engine)) ?? NOTHING_EXCLUDED;

  async #control(type: 'exclude' | 'include', what: Exclusion): Promise<number | boolean> {
    const complete = completeExclusion(what);
    await this.ready;
    const done = this.#applyControl(type, complete);
    this.#channel?.send({ type, ...complete });
    await this.#saver.now();
    return done;
  }

  #applyControl(type: 'exclude' | 'include', what: CompleteExclusion): number | boolean {
    this.#dropOrders();
    const done = apply(this.#mustHaveEngine(), type, what);
    // One play of a card that this tab may still tell: it says no more of the card.
    if (!Number.isNaN(what.at)) this.#readerEvents = this.#readerEvents.filter(({ cardId }) => cardId !== what.cardId);
    this.#saver.touch();
    this.#notify();
    return done;
  }

  readonly outbox = async (): Promise<OutboxView> => {
    await this.ready;
    const contribution = await this.#loadContribution();
    // The tab that writes may have added to it.
    if (!this.#writer.active) await contribution.outbox.load().catch((thrown: unknown) => this.#report(toHomeError(thrown, 'storage_failed')));
    return contribution.view();
  };

  /** Loads what leaves, with what is stored of it. Rejects with a `HomeError`; the next call tries again. */
  #loadContribution(): Promise<Contribution> {
    return this.#loading ??= this.#openContribution().catch((thrown: unknown) => {
      this.#loading = undefined;
      throw toHomeError(thrown, 'storage_failed');
    });
  }

  async #openContribution(): Promise<Contribution> {
    const wipes = this.#wipes;
    const { Contribution } = await this.#loaded(import('./contribution.js'));
    const contribution = new Contribution({
      platform: this.#platform,
      storage: this.#storage,
      upload: this.#options.upload || undefined,
      outboxKey: this.#keys.outbox,
      random: this.#random,
      now: () => this.#now(),
      mayContribute: () => this.#mayContribute(),
      withCore: (run) => run(this.#mustHaveEngine().core),
      stoppedBy: () => this.#stoppedBy(),
      contribution: () => this.#options.upload ? this.#engine?.core.contribution(this.#now()) : undefined,
      keepAside: (bytes) => this.#keepAside(bytes, new HomeError('outbox_corrupt', 'the stored outbox cannot be read')),
      error: toHomeError,
      report: (error) => this.#report(error),
    });
    await contribution.load();
    if (this.#wipes !== wipes) contribution.outbox.forget();
    this.#unloadable = false;
    return this.#contribution = contribution;
  }

  /** A part of the package that comes when it is needed. */
  async #loaded<T>(part: Promise<T>): Promise<T> {
    try {
      return await part;
    } catch (thrown) {
      throw new HomeError('load', `a part of the package did not load: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown });
    }
  }

  get #contributor(): Contribution['contributor'] { return this.#contribution?.contributor; }

  /** What keeps records from being made and sent, or nothing where they may be. Asked anew each time: signals come and go. */
  #stoppedBy(): OutboxView['stoppedBy'] {
    const { upload } = this.#options;
    if (!upload) return 'upload';
    if (!this.#consent.contribute || !this.#consent.personalize) return 'consent';
    if (upload.respectGPC !== false && this.#platform.globalPrivacyControl()) return 'gpc';
    // Only a plain yes: a function that throws, or answers with anything else, is a no.
    if (upload.allowed && this.#quietly(upload.allowed) !== true) return 'app';
    return this.#storageProblem ? 'storage' : this.#writer.active ? undefined : 'tab';
  }

  #mayContribute(): boolean { return this.#stoppedBy() === undefined; }

  /** Tells the core of a signal that came or went since it was last told. */
  #heed(): void {
    if (this.#stoppedBy() !== this.#told) this.#tellConsent();
  }

  async #dropWaiting(): Promise<void> {
    if (this.#hasRecords || this.#loading) await (await this.#loadContribution()).contributor?.dropWaiting();
  }

  /** Uses a choice on this page; the core hears what it comes to. */
  #useConsent(consent: Consent): void {
    this.#consent = consent;
    if (!consent.personalize) {
      this.#beforeReady.forgetListener();
      this.#readerEvents = [];
    }
    this.#tellConsent();
    this.#notify();
  }

  #tellConsent(): void {
    const by = this.#told = this.#stoppedBy();
    // A storage that fails, perhaps for how much it holds, and another tab that writes, drop no probe that runs.
    const paused = by === 'storage' || by === 'tab';
    this.#quietly(() => this.#engine?.core.setConsent(this.#consent.personalize, by === undefined || paused, paused));
  }

  async #contribute(): Promise<number> {
    if (!this.#engine || this.#private || this.#closing) return 0;
    this.#heed();
    if (!this.#contribution) {
      if (this.#unloadable || !this.#mayContribute()) return 0;
      try {
        await this.#loadContribution();
      } catch (thrown) {
        this.#unloadable = true;
        this.#report(toHomeError(thrown, 'load'));
      }
      return this.#contribution ? this.#contribute() : 0;
    }
    const { contributor, outbox } = this.#contribution;
    if (!contributor) return 0;
    const before = outbox.entries.length;
    const sent = await contributor.work();
    if (this.#closing) return sent;
    if (sent > 0 || outbox.entries.length !== before) {
      this.#saver.touch();
      this.#notify();
    }
    this.#sleep();
    return sent;
  }

  /** Forgets an earlier failure, so that the next try comes at once. */
  #retry(): void {
    this.#unloadable = false;
    this.#contributor?.retry();
  }

  /** Wakes up when the next record may leave. */
  #sleep(): void {
    if (this.#timer !== undefined) this.#platform.clearTimer(this.#timer);
    const next = this.#contributor?.nextTime();
    this.#timer = next === undefined ? undefined : this.#platform.setTimer(
      () => void this.#contribute(), Math.min(LONGEST_NAP_MS, Math.max(1000, next - this.#now())),
    );
  }

  // -------------------------------------------------------------------------------------------------------- keeping

  readonly flush = async (): Promise<FlushResult> => {
    await this.ready;
    const learned = this.#quietly(() => this.#engine?.core.settle(this.#now())) ?? 0;
    this.#retry();
    if (this.#hasRecords) await this.#loadContribution().catch((thrown: unknown) => this.#report(toHomeError(thrown, 'load')));
    const sent = await this.#contribute();
    const saved = await this.#saver.now();
    if (learned > 0) this.#notify();
    return { learned, saved: saved && this.#storageKind !== 'memory', sent, waiting: this.#contribution?.outbox.waiting.length ?? 0 };
  };

  readonly reset = async (): Promise<void> => {
    await this.ready;
    this.#forget();
    this.#channel?.send({ type: 'reset' });
    // A save that is under way must not come after the wipe.
    await Promise.all([this.#saver.idle(), this.#contribution?.outbox.saved()]);
    await this.#storage.clear(this.#keys.prefix);
    this.#mayOverwrite = true;
  };

  readonly exportState = async (): Promise<Uint8Array> => {
    await this.ready;
    return this.#mustHaveEngine().core.snapshot();
  };

  readonly importState = async (bytes: Uint8Array): Promise<void> => {
    await this.ready;
    const engine = this.#mustHaveEngine();
    this.#learned = engine.core.restore(bytes);
    engine.moveTo(engine.core);
    this.#dropOrders();
    // A probe that ran where the state comes from is answered there, and not here a second time.
    engine.core.setConsent(this.#consent.personalize, false, false);
    this.#tellConsent();
    await this.#saver.now();
    this.#refresh();
  };

  readonly summary = (): Summary =>
    this.#quietly(() => this.#engine?.core.summary()) ?? NO_SUMMARY;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  };

  readonly close = (): Promise<void> => this.#closing ??= this.#close();

  async #close(): Promise<void> {
    await Promise.resolve();
    this.#refresh();
    this.#stopPageEvents?.();
    this.#contributor?.stop();
    if (this.#timer !== undefined) this.#platform.clearTimer(this.#timer);
    await this.#patiently(Promise.all([this.ready, this.#loading?.catch(() => undefined).then(() => this.#contributor?.idle())]));
    this.#quietly(() => this.#engine?.core.endSession(this.#now()));
    this.#bundles?.left();
    this.#saver.stop();
    await this.#patiently(this.#saver.now());
    this.#channel?.close();
    this.#writer.release();
    this.#refresh();
    this.#quietly(() => this.#storage.close?.());
    this.#quietly(() => this.#engine?.core.free());
    this.#engine = undefined;
  }

  /** Waits, but not for ever. */
  async #patiently(work: Promise<unknown>): Promise<void> {
    let stop = () => {};
    const enough = new Promise<void>((resolve) => { stop = afterPatience(this.#platform, PATIENCE_MS, resolve); });
    await Promise.race([work, enough]);
    stop();
  }

  #forget(): void {
    this.#wipes++;
    this.#dropOrders();
    this.#beforeReady.forgetListener();
    this.#readerEvents = [];
    this.#contribution?.outbox.forget();
    this.#hasRecords = false;
    this.#parked?.registry.clear();
    this.#quietly(() => {
      this.#engine?.core.reset();
      this.#engine?.registry.clear();
    });
    this.#tellConsent();
    this.#notify();
  }

  /** Saves what is known; false when it could not be. Never rejects. */
  async #save(): Promise<boolean> {
    const saved = await this.#saveSnapshot();
    void this.#contribute();
    return saved;
  }

  async #saveSnapshot(): Promise<boolean> {
    const engine = this.#engine;
    if (!engine || !this.#writer.active || !this.#mayOverwrite) return false;
    try {
      const bytes = engine.core.snapshot();
      await this.#contributor?.saveLedger();
      await this.#storage.put(this.#keys.snapshot, bytes, 'relaxed');
      if (this.#storageProblem && this.#storageKind !== 'memory') this.#setStorageProblem(undefined);
      await this.#saveOrders(bytes.length).catch(() => undefined);
      return true;
    } catch (thrown) {
      const error = toHomeError(thrown, 'storage_failed');
      if (error.code !== 'panic') this.#setStorageProblem(error);
      return false;
    }
  }

  /** Keeps the orders of what was ranked, for a visit that begins before its core. A failure costs nothing but them. */
  async #saveOrders(snapshotBytes: number): Promise<void> {
    const shown = this.#shown;
    this.#shown = [];
    if (this.#orders || shown.length) await (await this.#loadOrders())?.save(this.#storage, this.#keys, shown, snapshotBytes);
  }

  /** The orders, made of stored bytes where there are none yet; nothing where they were dropped meanwhile. */
  async #loadOrders(bytes?: Uint8Array): Promise<LastOrders | undefined> {
    const drops = this.#drops;
    const { LastOrders } = await import('./last-order.js');
    return drops === this.#drops ? this.#orders ??= new LastOrders(bytes) : undefined;
  }

  /** No order of before is to be seen again: it may hold what the listener does not want to see. */
  #dropOrders(): void {
    this.#drops++;
    if (this.#orders) this.#orders.dropped = true;
    this.#orders = undefined;
    this.#shown = [];
    void this.#storage.delete(this.#keys.orders).catch(() => undefined);
  }

  // -------------------------------------------------------------------------------------------------------- starting

  async #start(): Promise<void> {
    // Nothing runs inside `createHome` itself.
    await Promise.resolve();
    const { storage: wanted = 'indexeddb' } = this.#options;
    if (this.#platform.isServer && wanted === 'indexeddb') {
      return this.#fail(new HomeError('server', 'pages are ranked on the listener\'s device, and this is a server'));
    }
    const loading = this.#loadCore(this.#options.wasm, partsFor(this.#options)).then((program) => ({ program }), (thrown: unknown) => ({ error: toHomeError(thrown, 'load') }));
    const snapshot = await this.#openStorage();
    const loaded = await loading;
    if (this.#closing) return;
    if ('error' in loaded) throw loaded.error;
    this.#program = loaded.program;
    if (this.#options.bundle) await this.#useBundles(this.#options.bundle, loaded.program);
    await this.#startEngine(snapshot);
    if (this.#closing) return;
    this.#stopPageEvents = this.#platform.onPageEvents({
      hidden: () => this.#leave('settle'),
      gone: () => this.#leave('endSession'),
      online: () => { this.#retry(); void this.#contribute(); },
    });
    void this.#contribute();
    void this.#bundles?.look();
    void warmUp(this.#platform, loaded.program, this.#options.model, () => this.#closing ?? (this.#ranked || !this.#consent.personalize));
  }

  /** Puts the published bundles before the compiled core. Without them, the built-in model serves. */
  async #useBundles(options: BundleOptions, program: CoreProgram): Promise<void> {
    try {
      const { Bundles } = await import('./bundle.js');
      this.#program = this.#bundles = new Bundles(options, {
        platform: this.#platform,
        program,
        model: this.#options.model,
        seed: this.#seed(),
        key: `bundle/${this.#keys.prefix}`,
        storage: () => this.#storage,
        now: () => this.#now(),
        mayWrite: () => this.#writer.active,
        closing: () => this.#closing !== undefined,
        snapshot: () => this.#quietly(() => this.#engine?.core.snapshot()),
        replace: (bytes, header) => {
          this.#quietly(() => {
            const engine = this.#mustHaveEngine();
            this.#learned = engine.core.setBundle(bytes, header);
            engine.moveTo(engine.core);
          });
          this.#refresh();
        },
        report: (thrown) => this.#report(toHomeError(thrown, 'bundle_failed')),
      });
    } catch (thrown) {
      this.#report(toHomeError(thrown, 'load'));
    }
  }

  #seed(): Uint8Array | undefined { return this.#options.seed === undefined ? undefined : seedBytes(this.#options.seed); }

  /** Opens the storage, reads the choices and the outbox, and returns the stored snapshot. */
  async #openStorage(): Promise<Uint8Array | undefined> {
    const opened = await openStorage(this.#options.storage, this.#platform, this.#keys.prefix);
    if (this.#closing) {
      opened.adapter.close?.();
      return undefined;
    }
    this.#useStorage(opened.adapter, opened.kind, opened.encrypted);
    if (opened.error) this.#setStorageProblem(opened.error);
    const lockName = opened.adapter.lockName;
    try {
      await this.#writer.request(this.#platform, lockName && `${lockName}:${this.#keys.prefix}`, () => void this.#promoted());
      if (lockName) this.#channel = this.#platform.channel(`${lockName}:${this.#keys.prefix}`, (message) => this.#hear(message));
      const [consent, snapshot, orders] = await Promise.all([
        this.#storage.get(this.#keys.consent), this.#storage.get(this.#keys.snapshot), this.#storage.get(this.#keys.orders), this.#lookForRecords(),
      ]);
      // What was hidden before there was a storage counts.
      if (orders && this.#drops) this.#dropOrders();
      else if (orders) this.#reading = this.#loadOrders(orders).catch(() => undefined);
      this.#consent = completeConsent(withChoice(withChoice(decodeConsent(consent), this.#options.consent ?? {}), this.#chosen));
      return snapshot;
    } catch (thrown) {
      // What is stored may be fine: leave it alone and go on in memory.
      this.#writer.release();
      this.#writer.active = true;
      this.#useStorage(memoryStorage(), 'memory');
      this.#setStorageProblem(toHomeError(thrown, 'storage_failed'));
      return undefined;
    }
  }

  /** Records that are stored want what sends and shows them. */
  async #lookForRecords(): Promise<void> {
    this.#hasRecords = await this.#storage.get(this.#keys.outbox) !== undefined;
    if (!this.#hasRecords) return;
    await this.#loadContribution().catch((thrown: unknown) => this.#report(toHomeError(thrown, 'load')));
  }

  #useStorage(adapter: StorageAdapter, kind: Status['storage'], encrypted = false): void {
    this.#storage = adapter;
    this.#storageKind = kind;
    this.#encrypted = encrypted;
    this.#contribution = this.#loading = undefined;
  }

  async #startEngine(snapshot: Uint8Array | undefined, wipes = this.#wipes): Promise<void> {
    let core = await this.#newCore();
    if (snapshot !== undefined) {
      try {
        this.#learned = core.restore(snapshot);
      } catch (thrown) {
        const error = toHomeError(thrown, 'snapshot_corrupt');
        await this.#keepAside(snapshot, error);
        if (error.code === 'panic') core = await this.#newCore();
      }
    }
    if (this.#closing) return core.free();
    if (this.#wipes !== wipes) core.reset();
    const engine = this.#parked ?? new Engine(core);
    if (this.#parked) engine.moveTo(core);
    this.#parked = undefined;
    this.#engine = engine;
    this.#failure = undefined;
    this.#contributor?.coreReplaced();
    this.#tellConsent();
    this.#catchUp(engine);
    if (this.#private) this.#tellPrivate(true);
    this.#refresh();
  }

  async #newCore(): Promise<Core> {
    const module = await this.#program!.instantiate();
    try {
      const core: Core = guardedCore(module.create(this.#options.model, this.#seed()), (error) => {
        this.#bundles?.trapped(error);
        this.#trapped(core, error);
      });
      return core;
    } catch (thrown) {
      this.#failureReason = 'model';
      throw toHomeError(thrown, 'model');
    }
  }

  /** Uses what came before there was a core. */
  #catchUp(engine: Engine): void {
    const { pages, unseen, cards, events } = this.#beforeReady;
    this.#beforeReady = new BeforeReady();
    if (!this.#consent.personalize) return;
    // A page that cannot be ranked was or will be reported by `rankSync`.
    for (const page of pages) this.#quietly(() => engine.registerPage(page));
    this.#quietly(() => engine.registerCards(cards));
    for (const event of events) this.#quietly(() => this.#observe(engine, event));
    if (unseen.length === 0) return;
    // What was shown stays; the next visit begins with an order of now. Nobody sees it: it is no decision, and the visit goes on.
    const now = this.#now();
    this.#quietly(() => {
      engine.core.setUnseen(true);
      for (const page of unseen) this.#quietly(() => this.#shown.push(engine.rank(page, undefined, now, this.#platform.utcOffsetMinutes(now))));
      engine.core.setUnseen(false);
    });
    this.#saver.touch();
  }

  /** Saves a snapshot that could not be read under another key, before anything is written in its place. */
  async #keepAside(snapshot: Uint8Array, error: HomeError): Promise<void> {
    this.#report(error);
    if (!this.#writer.active) return;
    try {
      await this.#storage.put(this.#keys.aside(error.code === 'outbox_corrupt' ? 'outbox' : 'snapshot'), snapshot, 'strict');
    } catch (thrown) {
      this.#mayOverwrite = false;
      this.#setStorageProblem(toHomeError(thrown, 'storage_failed'));
    }
  }

  // ------------------------------------------------------------------------------------------- what happens on its own

  /** The core stopped for good: one page in the server's order, then a new core with the last snapshot. */
  #trapped(core: Core, error: HomeError): void {
    if (this.#engine?.core !== core) return;
    this.#parked = this.#engine;
    this.#engine = undefined;
    this.#restarts++;
    this.#report(error);
    this.#failure = error;
    this.#refresh();
    if (this.#restarts <= MAX_RESTARTS && !this.#closing) {
      void this.#restart().catch((thrown: unknown) => this.#fail(toHomeError(thrown, 'load')));
    }
  }

  async #restart(): Promise<void> {
    const wipes = this.#wipes;
    let snapshot: Uint8Array | undefined;
    try {
      snapshot = await this.#storage.get(this.#keys.snapshot);
    } catch (thrown) {
      this.#mayOverwrite = false;
      this.#setStorageProblem(toHomeError(thrown, 'storage_failed'));
    }
    if (this.#closing) return;
    await this.#startEngine(snapshot, wipes);
    void this.#contribute();
  }

  /** The tab that wrote until now is gone: go on from what it saved, and add what was heard here meanwhile. */
  async #promoted(): Promise<void> {
    await this.ready;
    if (this.#closing) return;
    const events = this.#readerEvents;
    const wipes = this.#wipes;
    this.#readerEvents = [];
    // Orders of before what that tab was told, of which this one did not hear all.
    this.#dropOrders();
    try {
      const [snapshot] = await Promise.all([this.#storage.get(this.#keys.snapshot), this.#contribution ? this.#contribution.outbox.load() : this.#lookForRecords()]);
      this.#writer.active = true;
      const engine = this.#engine;
      // What was read before a wipe is of nobody any more.
      if (engine && snapshot && wipes === this.#wipes) {
        try {
          engine.core.restore(snapshot);
        } catch (thrown) {
          await this.#keepAside(snapshot, toHomeError(thrown, 'snapshot_corrupt'));
        }
        engine.moveTo(engine.core);
        // They are of the time before.
        if (this.#private) this.#tellPrivate(false);
        for (const event of events) this.#quietly(() => engine.observe({ ...event, decisionId: '', shelfId: '' }, this.#now()));
        if (this.#private) this.#tellPrivate(true);
        this.#tellConsent();
      }
    } catch (thrown) {
      this.#mayOverwrite = false;
      this.#setStorageProblem(toHomeError(thrown, 'storage_failed'));
    }
    this.#refresh();
    this.#saver.touch();
    void this.#contribute();
    void this.#bundles?.look();
  }

  /** Another tab of this profile did something that counts here too. */
  #hear(message: TabMessage): void {
    if (message.type === 'reset') {
      this.#forget();
      // Where the wipe came before a save of ours.
      void this.#contribution?.outbox.save().catch(() => undefined);
      this.#saver.touch();
    } else if (message.type !== 'consent') {
      this.#quietly(() => this.#applyControl(message.type, message));
    } else {
      this.#useConsent(Object.freeze({ personalize: message.personalize, contribute: message.contribute }));
      if (!message.contribute) void this.#dropWaiting().catch((thrown: unknown) => this.#report(toHomeError(thrown, 'storage_failed')));
    }
  }

  #leave(ending: 'settle' | 'endSession'): void {
    this.#quietly(() => this.#engine?.core[ending](this.#now()));
    this.#bundles?.left();
    void this.#saver.now();
    void this.#contribute();
  }

  // --------------------------------------------------------------------------------------------------------- status

  #fail(error: HomeError): void {
    this.#failure = error;
    this.#beforeReady.forget();
    this.#refresh();
    // A server has nothing to mend.
    if (error.code !== 'server') this.#report(error);
  }

  #setStorageProblem(error: HomeError | undefined): void {
    const changed = error?.code !== this.#storageProblem?.code;
    this.#storageProblem = error;
    if (!changed) return;
    this.#refresh();
    if (error) this.#report(error);
  }

  #refresh(): void {
    const problem = this.#failure ?? this.#storageProblem;
    const state = this.#closing ? 'closed' : this.#failure ? 'degraded' : !this.#engine ? 'loading' : problem ? 'degraded' : 'ready';
    const modelVersion = this.#modelVersion();
    this.#status = Object.freeze({
      state,
      ...(problem ? { reason: this.#statusReason(), message: problem.message } : {}),
      ...(modelVersion ? { modelVersion } : {}),
      ...(this.#learned ? { learned: this.#learned as NonNullable<Status['learned']> } : {}),
      storage: this.#storageKind,
      encrypted: this.#encrypted,
      writer: this.#writer.active,
    });
    if (this.#options.debug) this.#platform.log('info', `${state}${problem ? ` (${problem.code}: ${problem.message})` : ''}`);
    this.#notify();
  }

  #statusReason(): StatusReason {
    if (!this.#failure) return 'storage';
    return REASONS[this.#failure.code] ?? this.#failureReason;
  }

  /** Whether there is no engine yet, but may still be one. */
  #mayStart(): boolean {
    return !this.#closing && (this.#failure === undefined || (this.#parked !== undefined && this.#restarts <= MAX_RESTARTS));
  }

  #whyNot(): HomeError {
    if (this.#closing) return new HomeError('closed', 'this Home is closed');
    return this.#failure ?? new HomeError('not_ready', 'this Home is still starting');
  }

  #mustHaveEngine(): Engine {
    if (!this.#engine) throw this.#whyNot();
    return this.#engine;
  }

  #modelVersion(): string { return (this.#engine ?? this.#parked)?.modelVersion ?? ''; }

  #now(): number { return (this.#options.clock ?? this.#platform.now)(); }

  #notify(): void {
    for (const listener of [...this.#listeners]) {
      try { listener(); } catch (thrown) { this.#platform.log('warn', `a subscriber threw: ${String(thrown)}`); }
    }
  }

  /** Tells the app, at most once for each failure. */
  #report(error: HomeError): void {
    if (this.#options.debug) this.#platform.log('warn', `${error.code}: ${error.message}`);
    try { this.#options.onError?.(error); } catch { return; }
  }

  /** Runs what must not throw; a failure is reported. */
  #quietly<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (thrown) {
      const error = toHomeError(thrown, 'panic');
      if (error.code !== 'panic') this.#report(error);
      return undefined;
    }
  }
}
