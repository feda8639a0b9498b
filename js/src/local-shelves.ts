// Shelves the device builds itself: their names on both sides of the boundary.
import { reasonAbout } from './reasons.js';
import type { LocalKind } from './types.js';

/** By bit of the mask in the page header. */
export const LOCAL_KINDS: readonly LocalKind[] = ['recently_played', 'heavy_rotation', 'your_shows', 'because_you_played'];

const TITLES: Readonly<Record<LocalKind, string>> = {
  recently_played: 'Recently played',
  heavy_rotation: 'On heavy rotation',
  your_shows: 'Your shows',
  because_you_played: 'Because of what you played',
};

/** The mask for `PageInput.local`; an unknown kind counts for nothing. */
export function localMask(local: boolean | readonly LocalKind[] | undefined): number {
  if (local === true) return (1 << LOCAL_KINDS.length) - 1;
  if (!Array.isArray(local)) return 0;
  let mask = 0;
  for (const kind of local as readonly LocalKind[]) {
    const bit = LOCAL_KINDS.indexOf(kind);
    if (bit >= 0) mask |= 1 << bit;
  }
  return mask;
}

/** Title of a local shelf; `because` names the card it grew from. */
export function localTitle(kind: LocalKind, because: { title?: string | undefined } | undefined): string {
  return kind === 'because_you_played' && because?.title ? reasonAbout(kind, because).text : TITLES[kind];
}
