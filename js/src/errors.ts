/**
 * Stable codes of everything that can go wrong. New codes may be added in any release, so treat an unknown one as a
 * general failure.
 *
 * Pages: `page_invalid`, `page_format`, `page_empty`, `page_too_large`, `shelf_empty`, `duplicate_shelf`, `duplicate_card`,
 * `id_invalid`, `not_finite`, `column_count`, `visible_range`, `unknown_decision` (`after` names none), `switched_off` (by the model).
 * Events: `event_invalid`, `unknown_card`, `unknown_decision` (the play counts all the same), `queue_full`,
 * `not_personalized`, `private`, `bad_exclusion`, and the core's own.
 * Start: `csp`, `no_wasm`, `no_simd`, `server`, `load`, `model`, `not_ready`, `closed`, `panic`.
 * Storage: `storage_unavailable`, `storage_timeout`, `storage_full`, `storage_failed`, `snapshot_corrupt`,
 * `snapshot_newer`, `outbox_corrupt`, and the core's own for the ledger.
 * Bundles (the last good one goes on serving): `bundle_fetch`, `bundle_timeout`, `bundle_size`, `bundle_hash`, `bundle_malformed`,
 * `bundle_signature`, `bundle_expired`, `bundle_root_expired`, `bundle_rollback`, `bundle_fast_forward`, `bundle_foreign`, `bundle_mixed`,
 * `bundle_killed`, `bundle_clock`, `bundle_refused` (by the core), `bundle_trapped`, `bundle_state_corrupt`, `bundle_failed`.
 * Contribution: `manifest_unavailable`, `contribution_failed`, `send_failed`, `send_refused`, `relay_invalid` (keys or address cannot be
 * used), and the core's own.
 */
export type HomeErrorCode =
  | 'page_invalid' | 'page_format' | 'page_empty' | 'page_too_large' | 'shelf_empty' | 'duplicate_shelf'
  | 'duplicate_card' | 'id_invalid' | 'not_finite' | 'column_count' | 'visible_range' | 'switched_off'
  | 'event_invalid' | 'unknown_card' | 'unknown_decision' | 'queue_full' | 'not_personalized' | 'private' | 'bad_exclusion'
  | 'csp' | 'no_wasm' | 'no_simd' | 'server' | 'load' | 'model' | 'not_ready' | 'closed' | 'panic'
  | 'storage_unavailable' | 'storage_timeout' | 'storage_full' | 'storage_failed'
  | 'snapshot_corrupt' | 'snapshot_newer' | 'outbox_corrupt'
  | 'bundle_fetch' | 'bundle_timeout' | 'bundle_size' | 'bundle_hash' | 'bundle_malformed' | 'bundle_signature' | 'bundle_expired'
  | 'bundle_root_expired' | 'bundle_rollback' | 'bundle_fast_forward' | 'bundle_foreign' | 'bundle_mixed' | 'bundle_killed' | 'bundle_clock'
  | 'bundle_refused' | 'bundle_trapped' | 'bundle_state_corrupt' | 'bundle_failed'
  | 'manifest_unavailable' | 'contribution_failed' | 'send_failed' | 'send_refused' | 'relay_invalid'
  | (string & {});

/** Every error this package reports. `code` is stable; `message` says what was expected and what was found. */
export class HomeError extends Error {
  /** Stable, for programs. */
  readonly code: HomeErrorCode;

  constructor(code: HomeErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'HomeError';
    this.code = code;
  }
}

/**
 * Turns anything thrown into a `HomeError`, keeping a code that is already there.
 * @internal
 */
export function toHomeError(thrown: unknown, fallback: HomeErrorCode): HomeError {
  if (thrown instanceof HomeError) return thrown;
  const code = codeOf(thrown) ?? fallback;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new HomeError(code, message, { cause: thrown });
}

/**
 * The stable code a core error carries, or nothing. Codes of other makers (numbers in a `DOMException`, capitals in
 * Node) are none of ours.
 * @internal
 */
export function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  const code = (thrown as { code?: unknown }).code;
  return typeof code === 'string' && /^[a-z][a-z0-9_]*$/.test(code) ? code : undefined;
}
