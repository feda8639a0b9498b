// How a record leaves: alone, always the same size, with nothing that says who sent it.
import type { HomeError, HomeErrorCode } from './errors.js';
import type { Platform } from './platform.js';
import type { OutboxRecord, UploadOptions } from './types.js';

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

/** The app's own way, or a POST, or nothing where the app named neither. */
export function transportOf({ upload, platform, error }: { upload: UploadOptions; platform: Platform; error: MakeError }): Send | undefined {
  if (upload.transport) return upload.transport;
  const url = upload.url;
  return url === undefined ? undefined : (body) => post(url, body, platform, error);
}

async function post(url: string | URL, body: Uint8Array, platform: Platform, error: MakeError): Promise<void> {
  const deadline = new AbortController();
  const timer = platform.setTimer(() => deadline.abort(), ANSWER_DEADLINE_MS);
  try {
    // Bytes without a content type are a simple request, so no preflight doubles what the network sees.
    const response = await platform.fetch(url, {
      method: 'POST',
      body: body as Uint8Array<ArrayBuffer>,
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
      redirect: 'error',
      signal: deadline.signal,
    });
    if (response.ok) return;
    const final = response.status >= 400 && response.status < 500 && response.status !== 408 && response.status !== 429;
    throw error(new Error(`expected a 2xx answer to the record, got ${response.status}`), final ? 'send_refused' : 'send_failed');
  } finally {
    platform.clearTimer(timer);
  }
}
