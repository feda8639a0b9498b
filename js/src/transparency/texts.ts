// What the element says, in English; an app may say it in its own words.
import type { Contribution, OutboxRecord, OutboxView } from '../types.js';
import type { FieldName } from './layout.js';

/** Every text of the element. Dates and numbers come as the listener's language writes them. */
export interface TransparencyTexts {
  /** Before there is a Home. */
  readonly loading: string;
  /** Head of it all. */
  readonly title: string;
  /** What it is about. */
  readonly intro: string;
  /** Head of the switches. */
  readonly choices: string;
  /** Name of the first switch. */
  readonly personalize: string;
  /** What it does. */
  readonly personalizeAbout: string;
  /** Name of the second switch. */
  readonly contribute: string;
  /** What it does; says before it is switched on that what was sent cannot be found again. */
  readonly contributeAbout: string;
  /** Why nothing is made and sent. */
  readonly stopped: (by: NonNullable<OutboxView['stoppedBy']>) => string;
  /** Where the week's record stands. */
  readonly stands: (state: Contribution['state'], when: { readonly due?: string; readonly ready?: string; readonly next?: string }) => string;
  /** Head of the budget. */
  readonly budget: string;
  /** Names the period of 28 days. */
  readonly budget28: string;
  /** Names the year of consent. */
  readonly budgetYear: string;
  /** The budget in a period. */
  readonly spent: (spent: string, left: string) => string;
  /** What all records together disclose. */
  readonly disclosure: (epsilon: string, delta: string) => string;
  /** The same from the records listed alone, where the core does not say more. */
  readonly disclosureListed: (records: number, epsilon: string) => string;
  /** What the figures mean. */
  readonly budgetAbout: (recordsThisPeriod: number) => string;
  /** Head of the records. */
  readonly records: string;
  /** In place of a list. */
  readonly noRecords: string;
  /** State of a record that left. */
  readonly sent: (when: string) => string;
  /** State of a record that waits. */
  readonly waits: (until: string, attempts: number) => string;
  /** State of a record that was refused. */
  readonly refused: string;
  /** What a record says. */
  readonly sentence: (record: OutboxRecord) => string;
  /** Opens the table of bytes. */
  readonly everyByte: string;
  /** Above the table of bytes. */
  readonly bytesAbout: string;
  /** After the hex digits. */
  readonly zeros: string;
  /** Heads of the table: field, bytes, content, number, decided by. */
  readonly columns: readonly [string, string, string, string, string];
  /** Name of each field, and who decides what stands in it. */
  readonly fields: Readonly<Record<FieldName, readonly [name: string, decidedBy: string]>>;
  /** Head of what is not covered. */
  readonly notCovered: string;
  /** What is not covered. */
  readonly notCoveredList: readonly string[];
  /** Head of export and wipe. */
  readonly yours: string;
  /** What they do. */
  readonly yoursAbout: string;
  /** Button. */
  readonly exportButton: string;
  /** Name of the file. */
  readonly exportName: string;
  /** Said once it is made. */
  readonly exported: string;
  /** Button. */
  readonly wipeButton: string;
  /** Head of the question. */
  readonly wipeAsk: string;
  /** What goes and what stays. */
  readonly wipeAbout: string;
  /** Button. */
  readonly wipeConfirm: string;
  /** Button. */
  readonly wipeCancel: string;
  /** Said once it is done. */
  readonly wiped: string;
  /** Said after a switch. */
  readonly changed: (choice: string, on: boolean) => string;
  /** Said when something did not work. */
  readonly failed: string;
}

export const ENGLISH: TransparencyTexts = {
  loading: 'Looking up what left this device…',
  title: 'What leaves this device',
  intro: 'Your Home page is ordered on this device. What you listen to stays here. If you agree, a small record may leave now and then, and you can read every byte of it here.',
  choices: 'Your two choices',
  personalize: 'Personalize on this device',
  personalizeAbout: 'Learns from what you play, here. Nothing leaves. Off: everybody’s order, and nothing is recorded.',
  contribute: 'Contribute one noisy answer a week',
  contributeAbout: 'Is asked at most one question a week, four in 28 days; each answer is one record of 16 bytes. Its one private answer is changed by chance, so that it is never proof of what you did. What was sent cannot be found again, because nothing in it says that it is yours.',
  stopped: (by) => ({
    upload: 'This app sends no records.',
    consent: 'Nothing is made and nothing is sent: that needs both choices.',
    gpc: 'Your browser asks sites not to share your data (Global Privacy Control). Nothing is made and nothing is sent, whatever the choices say.',
    app: 'The app has switched it off for this profile. Nothing is made and nothing is sent, whatever the choices say.',
    storage: 'Nothing can be kept on this device now, so nothing is made and nothing is sent.',
    tab: 'Another tab of this app takes care of it.',
  })[by],
  stands: (state, { due, ready, next }) => ({
    off: 'Nothing is made and nothing is sent.',
    no_manifest: 'No question is published at present, so nothing is asked.',
    spent: next ? `The budget is spent. It allows the next record from ${next}.` : 'The budget is spent for now.',
    scheduled: due ? `This week’s question is drawn. It concerns the first Home page from ${due} on.` : 'This week’s question is drawn.',
    due: 'This week’s question concerns the next Home page.',
    watching: ready ? `This week’s question is running, until ${ready}.` : 'This week’s question is running.',
    ready: 'This week’s answer is known; its record is made next.',
    done: 'This week’s record is made.',
  })[state],
  budget: 'Privacy budget',
  budget28: 'In 28 days',
  budgetYear: 'In a year',
  spent: (spent, left) => `ε ${spent} spent, ${left} left`,
  disclosure: (epsilon, delta) => `All records so far, taken together and if somebody knew that they are yours, change the odds of any guess about you by at most e to the power of ${epsilon} (with a chance of ${delta} that it is more).`,
  disclosureListed: (records, epsilon) => records === 0
    ? 'No record was made on this device, so nothing was disclosed.'
    : `The ${records === 1 ? 'record' : `${records} records`} below, taken together and if somebody knew that ${records === 1 ? 'it is' : 'they are'} yours, change the odds of any guess about you by at most e to the power of ${epsilon}.`,
  budgetAbout: (records) => `${records} ${records === 1 ? 'record' : 'records'} in this period. ε is a measure of what an answer gives away: 0 is nothing. Forgetting does not refill it.`,
  records: 'Every record',
  noRecords: 'No record was ever made here, or they were forgotten.',
  sent: (when) => `Sent ${when}`,
  waits: (until, attempts) => attempts === 0 ? `Waits; it leaves after ${until}` : `Waits; tried ${attempts} ${attempts === 1 ? 'time' : 'times'}`,
  refused: 'Not taken by the receiver; it will not be sent again',
  sentence: ({ sentence }) => sentence,
  everyByte: 'Every byte',
  bytesAbout: 'This is all that leaves, beside what every request on the web carries: the network address, and the name of the browser. No cookie and no name goes with it.',
  zeros: 'then 223 zeros',
  columns: ['Field', 'Bytes', 'Content', 'Number', 'Decided by'],
  fields: {
    format: ['Format', 'the package'],
    nonce: ['Single-use number', 'chance, anew for each record'],
    version: ['Version', 'the package'],
    epoch: ['Week', 'the calendar'],
    manifest: ['Published list', 'the publisher, meant to be the same for everybody'],
    slot: ['Which entry of the list', 'a public draw'],
    shelfPosition: ['Position of the shelf', 'the published list'],
    cardPosition: ['Position of the card', 'the published list'],
    arm: ['What was drawn', 'a public draw'],
    question: ['Question', 'a public draw'],
    propensity: ['Chance of the draw, of 65536', 'the published list'],
    level: ['Privacy level', 'the published list'],
    symbol: ['Answer', 'you, then changed by chance'],
    rest: ['Nothing', 'always zero'],
    zeros: ['Filling', 'always zero'],
  },
  notCovered: 'What this does not cover',
  notCoveredList: [
    'That you opened the app. Whoever serves it sees that anyway.',
    'Many answers of one person add up, if somebody knows that they belong together. Nothing in them says so; who watches your network can count them.',
    'What is true of everybody: if all love a song, the average says so.',
    'A backup of the whole browser profile that is put back, with an older budget.',
    'Other code on this page: it can see what the page can see.',
    'A publisher who gives each device a list of its own: its number would name the device. What one answer says stays as noisy.',
  ],
  yours: 'Yours to take and to forget',
  yoursAbout: 'The file holds everything shown here. Forgetting drops what was learned from you, your history and every record on this device; records that have left cannot be called back.',
  exportButton: 'Download as a file',
  exportName: 'what-left-this-device.json',
  exported: 'The file is on its way.',
  wipeButton: 'Forget everything…',
  wipeAsk: 'Forget everything?',
  wipeAbout: 'Your history, what was learned from it and all records on this device go, and the key they were encrypted with. Your two choices and the dates of the privacy budget stay. This cannot be undone.',
  wipeConfirm: 'Forget',
  wipeCancel: 'Keep',
  wiped: 'Forgotten.',
  changed: (choice, on) => `${choice}: ${on ? 'on' : 'off'}.`,
  failed: 'That did not work. Nothing was lost; try again.',
};
