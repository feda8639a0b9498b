// For the tests of an app: a Home that ranks for real, and repeatably, with time, storage and network in the test's hands.
import type { HomeError } from './errors.js';
import { createHome } from './index.js';
import { memoryStorage } from './storage/memory.js';
import type { Home, HomeOptions, OutboxRecord, StorageAdapter, UploadOptions } from './types.js';

export { memoryStorage } from './storage/memory.js';

/** A clock that only the test moves. */
export interface FakeClock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Moves it to a time, milliseconds since the Unix epoch. */
  set(time: number): void;
  /** Moves it on. */
  advance(ms: number): void;
}

/** A clock that stands at `start`, by default Monday 5 January 2026, noon UTC. */
export function fakeClock(start = Date.UTC(2026, 0, 5, 12)): FakeClock {
  let time = start;
  return { now: () => time, set(to) { time = to; }, advance(ms) { time += ms; } };
}

/** One record as it would have left. */
export interface SentRecord {
  /** The 256 bytes of the request: format, nonce, record, zeros. */
  readonly body: Uint8Array;
  /** The record in them. */
  readonly record: OutboxRecord;
}

/** A transport that sends nothing and remembers everything. */
export interface RecordedTransport {
  /** For `upload.transport`. */
  readonly transport: NonNullable<UploadOptions['transport']>;
  /** What was sent, in order. */
  readonly sent: readonly SentRecord[];
  /** From now on deliveries fail with `error`, or succeed again without one. */
  fail(error?: Error): void;
}

/** Makes a transport for `upload.transport`. */
export function recordedTransport(): RecordedTransport {
  const sent: SentRecord[] = [];
  let failure: Error | undefined;
  return {
    sent,
    fail(error) { failure = error; },
    async transport(body, record) {
      if (failure) throw failure;
      sent.push({ body: body.slice(), record });
    },
  };
}

/** As `HomeOptions`; what a test wants to hold has a default. */
export interface TestHomeOptions extends Omit<HomeOptions, 'clock' | 'storage' | 'upload'> {
  /** Default: one of its own. */
  readonly clock?: FakeClock;
  /** Give the storage of an earlier test Home to come back as the same listener. */
  readonly storage?: StorageAdapter;
  /** Records go to `sent`; a manifest is needed for any to be made. */
  readonly upload?: Omit<UploadOptions, 'transport' | 'url'>;
}

/** A Home for a test, and what it was given. */
export interface TestHome {
  /** Starts like any other: await `home.ready`. */
  readonly home: Home;
  /** Its time. */
  readonly clock: FakeClock;
  /** Where it keeps what is learned. */
  readonly storage: StorageAdapter;
  /** What it would have sent. */
  readonly network: RecordedTransport;
  /** What `onError` was told, in order. */
  readonly errors: readonly HomeError[];
}

/**
 * Makes a Home with seed 1, a clock that stands still, storage in memory and a recorded transport; it ranks in Node, with or
 * without a simulated DOM. The hour of the day follows the machine's time zone: set `TZ=UTC` where an order is compared.
 *
 * Moving the clock starts nothing by itself: `home.flush()` learns, saves and sends what is due by then.
 */
export function createTestHome(options: TestHomeOptions = {}): TestHome {
  const { clock = fakeClock(), storage = memoryStorage(), upload, ...others } = options;
  const network = recordedTransport();
  const errors: HomeError[] = [];
  const home = createHome({
    seed: 1, ...others, storage, clock: clock.now,
    ...(upload ? { upload: { ...upload, transport: network.transport } } : {}),
    onError(error) {
      errors.push(error);
      others.onError?.(error);
    },
  });
  return { home, clock, storage, network, errors };
}
