// Everything ambient, in one place: what the browser (or a test) lends to a Home.

/** A lock that is held until `release` is called. */
export interface HeldLock { release(): void }

/** A message between the tabs of one profile. */
export type TabMessage =
  | { readonly type: 'reset' }
  | { readonly type: 'exclude' | 'include'; readonly artist: string; readonly cardId: string; readonly at: number }
  | { readonly type: 'consent'; readonly personalize: boolean; readonly contribute: boolean };

export interface Platform {
  /** There is no listener here: a page is being rendered on a server. */
  readonly isServer: boolean;
  readonly indexedDB: IDBFactory | undefined;
  /** Missing on pages without a secure context. */
  readonly subtle: SubtleCrypto | undefined;
  now(): number;
  utcOffsetMinutes(at: number): number;
  fetch(input: string | URL, init?: RequestInit): Promise<Response>;
  /** Uniform in [0, 1). */
  random(): number;
  /** Bytes nobody can guess. Throws where there is no source of them. */
  entropy(bytes: number): Uint8Array<ArrayBuffer>;
  /** The signal of Global Privacy Control. */
  globalPrivacyControl(): boolean;
  setTimer(run: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
  /** Runs when the page has nothing better to do, at the latest after a moment. */
  whenIdle(run: () => void): void;
  /** Lets the page breathe between two pieces of work. */
  yieldToPage(): Promise<void>;
  /**
   * Asks for an exclusive lock and calls `held` once it is there. Returns the way to give up waiting, or `undefined`
   * where locks do not exist.
   */
  lock(name: string, held: (lock: HeldLock) => void): (() => void) | undefined;
  /** Opens a channel to the other tabs. */
  channel(name: string, receive: (message: TabMessage) => void): { send(message: TabMessage): void; close(): void } | undefined;
  /** Calls back when the page is hidden, when it goes for good, and when the network returns. Returns the way to stop. */
  onPageEvents(events: { hidden(): void; gone(): void; online(): void }): () => void;
  log(level: 'info' | 'warn', message: string): void;
}

/** What this JavaScript environment offers. Reads globals only when called, never at import. */
export function currentPlatform(): Platform {
  const root = globalThis as typeof globalThis & {
    scheduler?: { yield?: () => Promise<void> };
    WorkerGlobalScope?: unknown;
  };
  const inBrowser = typeof root.document !== 'undefined' || typeof root.WorkerGlobalScope !== 'undefined';
  const indexedDB = idbFactory();
  return {
    // Edge runtimes call themselves workers; a browser's workers have IndexedDB.
    isServer: root.document === undefined && indexedDB === undefined,
    indexedDB,
    subtle: root.crypto?.subtle,
    now: () => Date.now(),
    utcOffsetMinutes: (at) => -new Date(at).getTimezoneOffset(),
    fetch: (input, init) => root.fetch(input, init),
    random: () => root.crypto.getRandomValues(new Uint32Array(1))[0]! / 0x1_0000_0000,
    entropy: (bytes) => root.crypto.getRandomValues(new Uint8Array(bytes)),
    globalPrivacyControl: () =>
      (root.navigator as { globalPrivacyControl?: unknown } | undefined)?.globalPrivacyControl === true,
    setTimer(run, ms) {
      const timer: unknown = setTimeout(run, ms);
      if (!inBrowser) (timer as { unref?: () => void }).unref?.();
      return timer;
    },
    clearTimer: (timer) => clearTimeout(timer as number),
    whenIdle(run) {
      if (typeof root.requestIdleCallback === 'function') root.requestIdleCallback(run, { timeout: 2000 });
      // Where nobody tells, not right behind what asked for it.
      else setTimeout(run, 50);
    },
    yieldToPage: () => typeof root.scheduler?.yield === 'function'
      ? root.scheduler.yield()
      : new Promise((resolve) => setTimeout(resolve, 0)),
    lock(name, held) {
      const locks = root.navigator?.locks as LockManager | undefined;
      if (locks === undefined) return undefined;
      const giveUp = new AbortController();
      locks.request(name, { signal: giveUp.signal }, () => new Promise<void>((release) => held({ release }))).catch(() => {
        // Given up, or refused in this kind of frame: then this tab never becomes the writer.
      });
      return () => giveUp.abort();
    },
    channel(name, receive) {
      if (typeof root.BroadcastChannel !== 'function') return undefined;
      const channel = new BroadcastChannel(name);
      (channel as unknown as { unref?: () => void }).unref?.();
      channel.onmessage = (event: MessageEvent<TabMessage>) => receive(event.data);
      return { send: (message) => channel.postMessage(message), close: () => channel.close() };
    },
    onPageEvents({ hidden, gone, online }) {
      const whenHidden = () => { if (root.document.visibilityState === 'hidden') hidden(); };
      // A page that is only put away comes back with its session.
      const whenLeft = (event: PageTransitionEvent) => { if (event.persisted) hidden(); else gone(); };
      root.document?.addEventListener('visibilitychange', whenHidden);
      root.addEventListener?.('pagehide', whenLeft);
      root.addEventListener?.('online', online);
      return () => {
        root.document?.removeEventListener('visibilitychange', whenHidden);
        root.removeEventListener?.('pagehide', whenLeft);
        root.removeEventListener?.('online', online);
      };
    },
    log: (level, message) => console[level](`ears-only: ${message}`),
  };
}

/** `indexedDB` is a getter that may throw where storage is forbidden. */
function idbFactory(): IDBFactory | undefined {
  try {
    return globalThis.indexedDB as IDBFactory | undefined;
  } catch {
    return undefined;
  }
}
