// Reasons: the core gives a code and a number, the listener reads a sentence.
import type { Reason, ReasonCode } from './types.js';

/** By the number the core uses. */
export const REASON_CODES: readonly ReasonCode[] = [
  'server_order', 'fixed', 'exploring', 'because_you_played', 'played_artist', 'played_family', 'like_your_taste',
  'popular', 'new_to_you', 'recently_played', 'heavy_rotation', 'your_shows', 'liked', 'time_of_day',
  'you_open_this_shelf', 'model', 'further_down', 'hidden_by_you', 'probe', 'general',
];

const TEXTS: Readonly<Record<ReasonCode, string>> = {
  server_order: 'In the order it came',
  fixed: 'Always in this place',
  exploring: 'Trying something new',
  because_you_played: 'Because of what you played',
  played_artist: 'You play this artist',
  played_family: 'You play music like this',
  like_your_taste: 'Close to what you play',
  popular: 'Popular with all listeners',
  new_to_you: 'New to you',
  recently_played: 'You played this recently',
  heavy_rotation: 'You play this often',
  your_shows: 'You follow this show',
  liked: 'You liked this',
  time_of_day: 'You play this at this time of day',
  you_open_this_shelf: 'You often play from this shelf',
  model: 'A good match',
  further_down: 'Further down, by expected interest',
  hidden_by_you: 'You hid this',
  probe: 'Placed here by a public draw',
  general: 'Worth a try',
};

/** What a reason may name. */
export interface ReasonSubject {
  readonly title?: string | undefined;
  readonly artist?: string | undefined;
  readonly family?: string | undefined;
}

/** A reason without a subject; the same frozen object each time. */
export function reason(code: ReasonCode): Reason {
  return PLAIN[code];
}

/** A reason that names what it is about, where the name is known. */
export function reasonAbout(code: ReasonCode, subject: ReasonSubject | undefined, column?: string): Reason {
  const text = textAbout(code, subject, column);
  return text === undefined ? reason(code) : Object.freeze({ code, text });
}

function textAbout(code: ReasonCode, subject: ReasonSubject | undefined, column?: string): string | undefined {
  if (code === 'because_you_played' && subject?.title) return `Because you played ${subject.title}`;
  if (code === 'played_artist' && subject?.artist) return `You play ${subject.artist}`;
  if (code === 'played_family' && subject?.family) return `You play ${subject.family}`;
  if (code === 'model' && column) return `A good match: ${column.replaceAll('_', ' ')}`;
  return undefined;
}

const PLAIN = Object.freeze(Object.fromEntries(
  Object.entries(TEXTS).map(([code, text]) => [code, Object.freeze({ code, text })]),
)) as Readonly<Record<ReasonCode, Reason>>;
