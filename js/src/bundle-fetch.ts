// Getting a published file: without credentials, never more than it may be, never longer than it may take.
import type { Platform } from './platform.js';

/** Largest signed file. */
export const MAX_FILE_BYTES = 65_536;
/** Largest bundle; the core has the same limit. */
export const MAX_BUNDLE_BYTES = 8_388_608;
/** A signed file that is not there by then is not waited for. */
export const FILE_DEADLINE_MS = 15_000;
/** The same for a bundle. */
export const BUNDLE_DEADLINE_MS = 120_000;

/** An error with a code that stays. The entry makes a `HomeError` of it: importing that class here would make another chunk. */
export class Refusal extends Error {
  constructor(readonly code: string, message: string, cause?: unknown) { super(message, cause === undefined ? undefined : { cause }); }
}

export function refusal(code: string, message: string, cause?: unknown): Refusal { return new Refusal(code, message, cause); }

export interface Wanted {
  readonly url: string;
  /** At most so many bytes. */
  readonly limit: number;
  readonly deadlineMs: number;
  readonly cache: RequestCache;
}

/**
 * The bytes at an address. Rejects with `bundle_fetch`, `bundle_timeout` or `bundle_size`. The hash is checked afterwards and not by the
 * browser's `integrity`: with that a browser reads a body to its end before it hands out the first byte, however long it is.
 */
export async function fetchBytes(platform: Platform, wanted: Wanted): Promise<Uint8Array> {
  const abort = new AbortController();
  let timer: unknown;
  const late = new Promise<never>((_, reject) => {
    timer = platform.setTimer(() => {
      reject(refusal('bundle_timeout', `expected ${wanted.url} within ${wanted.deadlineMs} ms, it is not there yet`));
      abort.abort();
    }, wanted.deadlineMs);
  });
  try {
    const reading = read(platform, wanted, abort);
    // Not every environment ends a body when it is told to.
    return await Promise.race([reading, late]);
  } catch (thrown) {
    abort.abort();
    if (thrown instanceof Refusal) throw thrown;
    throw refusal('bundle_fetch', `${wanted.url} could not be had: ${thrown instanceof Error ? thrown.message : String(thrown)}`, thrown);
  } finally {
    platform.clearTimer(timer);
  }
}

async function read(platform: Platform, { url, limit, cache }: Wanted, abort: AbortController): Promise<Uint8Array> {
  const response = await platform.fetch(url, {
    credentials: 'omit', referrerPolicy: 'no-referrer', redirect: 'error', cache, signal: abort.signal,
  });
  if (!response.ok) throw refusal('bundle_fetch', `expected ${url}, got HTTP status ${response.status}`);
  const tooMuch = (found: number) => refusal('bundle_size', `expected at most ${limit} bytes from ${url}, found ${found} or more`);
  const parts: Uint8Array[] = [];
  let length = 0;
  const take = (part: Uint8Array) => {
    length += part.length;
    if (length > limit) throw tooMuch(length);
    parts.push(part);
  };
  if (response.body === null) {
    take(new Uint8Array(await response.arrayBuffer()));
  } else {
    const reader = response.body.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) take(next.value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
