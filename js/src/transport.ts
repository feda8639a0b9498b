// How a record leaves: alone, always the same size, with nothing that says who sent it.
import type { HomeError, HomeErrorCode } from './errors.js';
import type { Platform } from './platform.js';
import type { Encapsulated } from './relay.js';
import type { OutboxRecord, RelayOptions, UploadOptions } from './types.js';

export const RECORD_BYTES = 16;
/** Random bytes that go with a record, by which the receiver drops what arrives twice. */
export const NONCE_BYTES = 16;
/** Every body has this size. */
export const BODY_BYTES = 256;
/** The first byte of a body. */
const BODY_FORMAT = 1;

const HOUR_MS = 3_600_000;
const FIRST_DELAY_MS = 24 * HOUR_MS;
const DELAY_SPREAD_MS = 48 * HOUR_MS;
const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 6 * HOUR_MS;
const ANSWER_DEADLINE_MS = 30_000;
/** A record that could not be delivered for this long after its time is given up. */
export const GIVE_UP_AFTER_MS = 7 * 24 * HOUR_MS;

/** Makes an error of the package from anything thrown. */
export type MakeError = (thrown: unknown, code: HomeErrorCode) => HomeError;

export type Send = (body: Uint8Array, record: OutboxRecord) => Promise<void>;

/** Between 24 and 72 hours, uniform: the time of sending says nothing about the time of listening. */
export function sendingDelay(random: number): number {
  return Math.floor(FIRST_DELAY_MS + random * DELAY_SPREAD_MS);
}

/** Doubles from five seconds to six hours; between half and all of that. */
export function retryDelay(attempts: number, random: number): number {
  return Math.floor(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1)) * (0.5 + 0.5 * random));
}

/** Format, nonce, record, zeros. */
export function bodyOf(nonce: Uint8Array, record: Uint8Array): Uint8Array<ArrayBuffer> {
  if (nonce.length !== NONCE_BYTES || record.length !== RECORD_BYTES) {
    throw new Error(`expected ${NONCE_BYTES} and ${RECORD_BYTES} bytes, got ${nonce.length} and ${record.length}`);
  }
  const body = new Uint8Array(BODY_BYTES);
  body[0] = BODY_FORMAT;
  body.set(nonce, 1);
  body.set(record, 1 + NONCE_BYTES);
  return body;
}

/** Format, nonce and record: what of a body goes through a relay, whose messages are filled up by themselves. */
const CONTENT_BYTES = 1 + NONCE_BYTES + RECORD_BYTES;

interface TransportHost { upload: UploadOptions; platform: Platform; error: MakeError }

/** The app's own way, or through a relay, or a POST, or nothing where the app named no way. */
export function transportOf(host: TransportHost): Send | undefined {
  const { transport, url, relay } = host.upload;
  if (transport) return transport;
  if (url === undefined) return undefined;
  return relay ? (body) => throughRelay(relay, url, body, host) : (body) => post(url, body, host, (response) => judge(response.status, host));
}

/** Each try is encrypted anew, so that two of them have nothing in common. */
async function throughRelay(relay: RelayOptions, url: string | URL, body: Uint8Array, host: TransportHost): Promise<void> {
  const { encapsulate, ENTROPY_BYTES } = await import('./relay.js');
  let sealed: Encapsulated;
  try {
    sealed = await encapsulate(relay.keys, url, body.subarray(0, CONTENT_BYTES), host.platform.entropy(ENTROPY_BYTES));
  } catch (thrown) {
    throw host.error(new Error(`the relay cannot be used: ${String((thrown as Error)?.message ?? thrown)}`, { cause: thrown }), 'relay_invalid');
  }
  await post(relay.url, sealed.request, host, async (response) => {
    // What the relay itself says is no answer to the record, not even a refusal.
    if (!response.ok) throw new Error(`expected a 2xx answer of the relay, got ${response.status}`);
    judge(sealed.open(new Uint8Array(await response.arrayBuffer())), host);
  }, { 'content-type': 'message/ohttp-req' });
}

/** Throws unless the collector took the record. */
function judge(status: number, { error }: TransportHost): void {
  if (status >= 200 && status < 300) return;
  const final = status >= 400 && status < 500 && status !== 408 && status !== 429;
  throw error(new Error(`expected a 2xx answer to the record, got ${status}`), final ? 'send_refused' : 'send_failed');
}

async function post(
  url: string | URL, body: Uint8Array, { platform }: TransportHost, read: (response: Response) => void | Promise<void>, headers?: Record<string, string>,
): Promise<void> {
  const deadline = new AbortController();
  const timer = platform.setTimer(() => deadline.abort(), ANSWER_DEADLINE_MS);
  try {
    // Bytes without a content type are a simple request, so no preflight doubles what the network sees.
    await read(await platform.fetch(url, {
      method: 'POST',
      body: body as Uint8Array<ArrayBuffer>,
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
      redirect: 'error',
      signal: deadline.signal,
      ...(headers ? { headers } : {}),
    }));
  } finally {
    platform.clearTimer(timer);
  }
}
