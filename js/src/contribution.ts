// Everything about what leaves the device, in a chunk of its own: only those who agreed, or look, fetch it. Errors are made by
// the host, so that it shares no code with the entry.
import { Contributor, type ContributeHost } from './contribute.js';
import { Outbox, outboxView } from './outbox.js';
import type { OutboxView, UploadOptions } from './types.js';

/** The chance that the cumulative disclosure leaves out. */
const DELTA = 1e-6;

export interface ContributionHost extends Omit<ContributeHost, 'outbox' | 'upload'> {
  readonly upload: UploadOptions | undefined;
  readonly outboxKey: string;
  /** What keeps records from being made and sent. */
  stoppedBy(): OutboxView['stoppedBy'];
  /** Takes stored bytes that cannot be read out of the way. */
  keepAside(unreadable: Uint8Array): Promise<void>;
}

export class Contribution {
  readonly outbox: Outbox;
  /** Makes and sends; missing where the app named no way to send. */
  readonly contributor: Contributor | undefined;
  readonly #host: ContributionHost;

  constructor(host: ContributionHost) {
    this.#host = host;
    this.outbox = new Outbox(host.storage, host.outboxKey);
    const { upload } = host;
    this.contributor = upload && new Contributor({ ...host, upload, outbox: this.outbox });
  }

  /** Reads what is stored. */
  async load(): Promise<void> {
    const unreadable = await this.outbox.load();
    if (unreadable) await this.#host.keepAside(unreadable);
  }

  /** What the listener sees. */
  view(): OutboxView {
    return outboxView(this.outbox.view(), this.#host.contribution(), this.#host.stoppedBy(), this.#disclosure());
  }

  #disclosure(): OutboxView['disclosure'] {
    try {
      const epsilon = this.#host.withCore((core) => core.disclosure?.(DELTA));
      return epsilon === undefined ? undefined : Object.freeze({ epsilon, delta: DELTA });
    } catch {
      // No core, or no ledger yet.
      return undefined;
    }
  }
}
