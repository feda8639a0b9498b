// What left this device, what waits and who decides about it, as an element of its own that an app puts on a page. No framework; importing it
// does nothing; nothing is fetched.
import type { Home, OutboxRecord, OutboxView } from './types.js';
import { fieldsOf } from './transparency/layout.js';
import { STYLE } from './transparency/style.js';
import { ENGLISH, type TransparencyTexts } from './transparency/texts.js';

export type { TransparencyTexts } from './transparency/texts.js';

/** The element `<ears-only-transparency>`, once it is defined. */
export interface TransparencyElement extends HTMLElement {
  /** The Home it speaks of. */
  home: Home | undefined;
  /** In place of the English texts; those left out stay. */
  texts: Partial<TransparencyTexts>;
  /** Draws it anew; it does so by itself when the Home changes. */
  refresh(): Promise<void>;
}

/** What the file holds that the listener takes along. */
export interface TransparencyExport {
  /** Format of the file. */
  readonly format: 1;
  /** When it was made, milliseconds since the Unix epoch. */
  readonly at: number;
  /** The listener's choices. */
  readonly consent: Home['consent'];
  /** Budget, contribution, disclosure and what stops them, as `home.outbox()` says. */
  readonly outbox: Omit<OutboxView, 'records'>;
  /** Every record in it, the bytes as hex digits, newest first. */
  readonly records: readonly (Omit<OutboxRecord, 'bytes'>)[];
}

type Child = Node | string | false | undefined;

/** What changes after it is built. */
interface Parts {
  readonly personalize: HTMLInputElement;
  readonly contribute: HTMLInputElement;
  readonly state: HTMLElement;
  readonly budget: HTMLElement;
  readonly records: HTMLElement;
  readonly said: HTMLElement;
}

/** Defines the element, once; a second call with the same name does nothing. */
export function defineTransparency(name = 'ears-only-transparency'): void {
  if (customElements.get(name) === undefined) customElements.define(name, elementClass());
}

/** Made when it is defined: on a server there are no elements. */
function elementClass(): CustomElementConstructor {
  let sheet: CSSStyleSheet | undefined;
  let made = 0;

  return class extends HTMLElement implements TransparencyElement {
    #home: Home | undefined;
    #texts: TransparencyTexts = ENGLISH;
    #stop: (() => void) | undefined;
    #soon: ReturnType<typeof setTimeout> | undefined;
    readonly #root: ShadowRoot;
    readonly #id = `ears-${++made}`;
    #parts: Parts | undefined;
    #drawn = '';
    #view: OutboxView | undefined;

    constructor() {
      super();
      this.#root = this.attachShadow({ mode: 'open', delegatesFocus: true });
      if (!sheet) {
        sheet = new CSSStyleSheet();
        sheet.replaceSync(STYLE);
      }
      // Unlike an element, a sheet is allowed under every Content-Security-Policy.
      this.#root.adoptedStyleSheets = [sheet];
    }

    get home(): Home | undefined { return this.#home; }
    set home(home: Home | undefined) {
      this.#home = home;
      this.#listen();
    }

    get texts(): Partial<TransparencyTexts> { return this.#texts; }
    set texts(texts: Partial<TransparencyTexts>) {
      this.#texts = { ...ENGLISH, ...texts };
      this.#parts = undefined;
      void this.refresh();
    }

    connectedCallback(): void { this.#listen(); }

    disconnectedCallback(): void {
      this.#stop?.();
      this.#stop = undefined;
    }

    #listen(): void {
      this.#stop?.();
      this.#stop = undefined;
      if (!this.isConnected) return;
      this.#stop = this.#home?.subscribe(() => {
        clearTimeout(this.#soon);
        this.#soon = setTimeout(() => void this.refresh(), 100);
      });
      void this.refresh();
    }

    async refresh(): Promise<void> {
      const home = this.#home;
      if (!home) {
        this.#parts = undefined;
        this.#root.replaceChildren(h('p', { part: 'loading', role: 'status' }, this.#texts.loading));
        return;
      }
      let view: OutboxView | undefined;
      try {
        view = await home.outbox();
      } catch {
        view = undefined;
      }
      if (home !== this.#home || !this.isConnected) return;
      const parts = this.#parts ??= this.#build();
      this.#view = view;
      parts.personalize.checked = home.consent.personalize;
      parts.contribute.checked = home.consent.contribute;
      this.#drawState(parts, view);
      this.#drawRecords(parts, view);
    }

    #build(): Parts {
      const text = this.#texts;
      const id = (name: string) => `${this.#id}-${name}`;
      const toggle = (name: 'personalize' | 'contribute') => {
        const box = h('input', { type: 'checkbox', role: 'switch', id: id(name), 'aria-describedby': id(`${name}-about`), part: 'switch' });
        box.addEventListener('change', () => void this.#choose(name, box.checked));
        return { box, row: h('div', { class: 'choice', part: 'choice' }, box, h('div', {}, h('label', { for: id(name) }, text[name]), h('p', { id: id(`${name}-about`) }, text[`${name}About`]))) };
      };
      const [personalize, contribute] = [toggle('personalize'), toggle('contribute')];
      const state = h('div', { part: 'state', class: 'state' });
      const budget = h('div', { part: 'budget', class: 'budget' });
      const records = h('div', { part: 'records', class: 'records' });
      const said = h('p', { class: 'hidden', role: 'status', 'aria-live': 'polite' });
      const take = h('button', { type: 'button', part: 'button export' }, text.exportButton);
      take.addEventListener('click', () => this.#export());
      const wipe = h('button', { type: 'button', part: 'button wipe', class: 'danger' }, text.wipeButton);
      const cancel = h('button', { type: 'button', part: 'button', autofocus: '' }, text.wipeCancel);
      const confirm = h('button', { type: 'button', part: 'button wipe', class: 'danger' }, text.wipeConfirm);
      const dialog = h('dialog', { part: 'dialog', 'aria-labelledby': id('ask'), 'aria-describedby': id('ask-about') },
        h('h3', { id: id('ask') }, text.wipeAsk), h('p', { id: id('ask-about') }, text.wipeAbout), h('div', { class: 'row' }, cancel, confirm));
      wipe.addEventListener('click', () => dialog.showModal());
      cancel.addEventListener('click', () => dialog.close());
      confirm.addEventListener('click', () => {
        dialog.close();
        void this.#wipe();
      });
      const section = (name: string, title: string, ...children: Child[]) =>
        h('section', { part: 'section', 'aria-labelledby': id(name) }, h('h3', { id: id(name), part: 'heading' }, title), ...children);
      this.#root.replaceChildren(
        h('div', { part: 'base', class: 'base' },
          h('h2', { part: 'title' }, text.title), h('p', { part: 'intro', class: 'intro' }, text.intro),
          section('choices', text.choices, personalize.row, contribute.row, state),
          section('spent', text.budget, budget),
          section('left', text.records, records),
          section('limits', text.notCovered, h('ul', { part: 'limits' }, ...text.notCoveredList.map((line) => h('li', {}, line)))),
          section('take', text.yours, h('p', {}, text.yoursAbout), h('div', { class: 'row' }, take, wipe)),
          said, dialog));
      this.#drawn = '';
      return { personalize: personalize.box, contribute: contribute.box, state, budget, records, said };
    }

    #say(words: string): void { if (this.#parts) this.#parts.said.textContent = words; }

    async #choose(name: 'personalize' | 'contribute', on: boolean): Promise<void> {
      const text = this.#texts;
      try {
        await this.#home?.setConsent({ [name]: on });
        this.#say(text.changed(text[name], on));
      } catch {
        this.#say(text.failed);
      }
      await this.refresh();
    }

    async #wipe(): Promise<void> {
      try {
        await this.#home?.reset();
        this.#say(this.#texts.wiped);
      } catch {
        this.#say(this.#texts.failed);
      }
      await this.refresh();
    }

    /** A file for the listener. An app that saves files its own way takes the event `ears-only-export` and prevents the default. */
    #export(): void {
      const home = this.#home;
      if (!home || !this.#view) return;
      const { records, ...outbox } = this.#view;
      const detail: TransparencyExport = { format: 1, at: Date.now(), consent: home.consent, outbox, records: records.map(({ bytes: _, ...record }) => record) };
      if (!this.dispatchEvent(new CustomEvent('ears-only-export', { detail, bubbles: true, composed: true, cancelable: true }))) return;
      const address = URL.createObjectURL(new Blob([JSON.stringify(detail, null, 2)], { type: 'application/json' }));
      h('a', { href: address, download: this.#texts.exportName }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      this.#say(this.#texts.exported);
    }

    #number(value: number): string { return new Intl.NumberFormat(this.#language(), { maximumSignificantDigits: 3 }).format(value); }

    #date(at: number, hours = true): string {
      return new Intl.DateTimeFormat(this.#language(), { dateStyle: 'long', ...(hours ? { timeStyle: 'short' } : {}) }).format(at);
    }

    #language(): string | undefined { return this.closest('[lang]')?.getAttribute('lang') || this.ownerDocument.documentElement.lang || undefined; }

    #drawState({ state, budget }: Parts, view: OutboxView | undefined): void {
      const text = this.#texts;
      if (!view) {
        state.replaceChildren(h('p', { part: 'problem' }, text.failed));
        budget.replaceChildren();
        return;
      }
      const { stoppedBy, contribution: { state: at, dueAt, readyAt, nextAllowedAt } } = view;
      const when = { due: dueAt, ready: readyAt, next: nextAllowedAt };
      const dates = Object.fromEntries(Object.entries(when).map(([name, time]) => [name, time === undefined ? undefined : this.#date(time)]));
      state.replaceChildren(h('p', { part: 'status', 'data-stopped-by': stoppedBy ?? '', 'data-state': at }, stoppedBy ? text.stopped(stoppedBy) : text.stands(at, dates)));
      const { epsilonSpent, epsilonLeft, epsilonSpentYear, epsilonLeftYear, recordsThisPeriod } = view.budget;
      const listed = view.records.reduce((sum, { fields }) => sum + fields.epsilon, 0);
      budget.replaceChildren(...present([
        this.#meter(text.budget28, epsilonSpent, epsilonLeft),
        epsilonSpentYear !== undefined && epsilonLeftYear !== undefined && this.#meter(text.budgetYear, epsilonSpentYear, epsilonLeftYear),
        h('p', { part: 'disclosure' }, view.disclosure
          ? text.disclosure(this.#number(view.disclosure.epsilon), this.#number(view.disclosure.delta))
          : text.disclosureListed(view.records.length, this.#number(listed))),
        h('p', { class: 'hint' }, text.budgetAbout(recordsThisPeriod)),
      ]));
    }

    #meter(label: string, spent: number, left: number): HTMLElement {
      const total = spent + left;
      const share = total > 0 ? Math.min(1, spent / total) : 0;
      const words = this.#texts.spent(this.#number(spent), this.#number(left));
      // Drawn, not styled: a width in a style attribute is nothing that every Content-Security-Policy allows.
      const bar = svg('svg', { viewBox: '0 0 100 4', preserveAspectRatio: 'none', 'aria-hidden': 'true', part: 'meter', class: 'meter' },
        svg('rect', { class: 'track', width: '100', height: '4' }), svg('rect', { class: 'fill', width: String(100 * share), height: '4' }));
      return h('div', { class: 'line' }, h('span', {}, label), h('span', { class: 'number' }, words), bar);
    }

    #drawRecords({ records: list }: Parts, view: OutboxView | undefined): void {
      const records = view?.records ?? [];
      const key = JSON.stringify(records.map(({ bytes: _, ...record }) => record));
      if (key === this.#drawn) return;
      this.#drawn = key;
      // What the listener opened stays open.
      const open = new Set([...list.querySelectorAll('details[open]')].map((one) => one.getAttribute('data-hex')));
      list.replaceChildren(...(records.length === 0
        ? [h('p', { class: 'hint' }, this.#texts.noRecords)] : [h('ol', {}, ...records.map((record) => h('li', {}, this.#record(record, open.has(record.nonce + record.hex)))))]));
    }

    #record(record: OutboxRecord, open: boolean): HTMLElement {
      const text = this.#texts;
      const { state, sentAt, sendAfter, attempts, nonce, hex } = record;
      const fields = fieldsOf(record);
      const when = state === 'sent' ? text.sent(this.#date(sentAt ?? sendAfter)) : state === 'refused' ? text.refused : text.waits(this.#date(sendAfter), attempts);
      const details = h('details', { 'data-hex': nonce + hex, ...(open ? { open: '' } : {}) }, h('summary', {}, text.everyByte),
        h('p', { class: 'hint' }, text.bytesAbout),
        h('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': text.everyByte },
          h('table', { part: 'table' },
            h('thead', {}, h('tr', {}, ...text.columns.map((column) => h('th', { scope: 'col' }, column)))),
            h('tbody', {}, ...fields.map(({ name, place, shown, value }) => h('tr', { class: name === 'symbol' ? 'private' : '' },
              h('th', { scope: 'row' }, text.fields[name][0]), h('td', { class: 'number' }, place), h('td', {}, h('code', {}, shown)), h('td', { class: 'number' }, value), h('td', {}, text.fields[name][1])))))));
      return h('article', { part: `record ${state}`, 'data-state': state },
        h('p', { class: `when ${state}` }, when), h('p', {}, text.sentence(record)),
        h('code', { part: 'hex', class: 'hex' }, `01${nonce}${hex}`.match(/../g)?.join(' ') ?? '', h('span', { class: 'hint' }, ` ${text.zeros}`)), details);
    }
  };
}

function present<T>(values: (T | false)[]): T[] { return values.filter((value): value is T => value !== false); }

function h<Name extends keyof HTMLElementTagNameMap>(name: Name, attributes: Record<string, string>, ...children: Child[]): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child): child is Node | string => child !== undefined && child !== false));
  return element;
}

function svg(name: string, attributes: Record<string, string>, ...children: Node[]): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
