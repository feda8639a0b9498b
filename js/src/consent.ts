// The two choices of the listener, as they are kept.
import type { Consent } from './types.js';

/** Only a plain yes lets anything leave. */
export function completeConsent(consent: Partial<Consent> | undefined): Consent {
  return Object.freeze({ personalize: consent?.personalize ?? true, contribute: consent?.contribute === true });
}

/** The choices in `base`, except where `change` says otherwise. */
export function withChoice(base: Partial<Consent>, change: Partial<Consent>): Partial<Consent> {
  const personalize = change.personalize ?? base.personalize;
  const contribute = change.contribute ?? base.contribute;
  return { ...(personalize === undefined ? {} : { personalize }), ...(contribute === undefined ? {} : { contribute }) };
}

export function encodeConsent(consent: Consent): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ format: 1, ...consent }));
}

/** What was chosen before. Choices that cannot be read count as two times no. */
export function decodeConsent(bytes: Uint8Array | undefined): Partial<Consent> {
  if (bytes === undefined) return {};
  try {
    const { format, personalize, contribute } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    if (format === 1 && typeof personalize === 'boolean' && typeof contribute === 'boolean') return { personalize, contribute };
  } catch {
    // No JSON: falls through to two times no.
  }
  return { personalize: false, contribute: false };
}
