// Seen, not guessed: a card counts as seen once half of it was on screen for a second.
import type { Home } from './types.js';

/** The share of a card that must be on screen. */
const SHARE = 0.5;
/** For this long without a break, in milliseconds. */
const FOR_MS = 1000;
/** Impressions remembered, so that an element made again (a list that scrolls back) is not counted again. */
const REMEMBERED = 5000;

/** A card on screen, as an `impression` names it. */
export interface SeenCard {
  /** Identity of the card, as the app gave it. */
  readonly cardId: string;
  /** The shelf it stands in. */
  readonly shelfId?: string;
  /** `decisionId` of the ranked page it stands on. */
  readonly decisionId?: string;
}

/**
 * Watches an element that shows a card, and reports one `impression` once half of the element was on screen for a second
 * while the tab was visible; once for each decision, shelf and card. Returns the way to stop. An element that is given again
 * shows another card from then on.
 */
export type Observe = (element: Element, card: SeenCard) => () => void;

interface Watch { stop(): void; visible: boolean; show(visible: boolean): void }

/**
 * Makes the function that watches cards for a `Home`. Nothing is made before its first call; all its elements share one
 * `IntersectionObserver`. Where that does not exist, nothing is reported and the reward model assumes what was seen.
 */
export function createObserver(home: Pick<Home, 'track'>): Observe {
  const watched = new Map<Element, Watch>();
  const reported = new Set<string>();
  let observer: IntersectionObserver | undefined;

  return (element, card) => {
    watched.get(element)?.stop();
    const key = [card.decisionId, card.shelfId, card.cardId].join('\n');
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watch: Watch = {
      visible: false,
      stop() {
        clearTimeout(timer);
        if (watched.get(element) === watch) {
          watched.delete(element);
          observer!.unobserve(element);
        }
      },
      show(visible) {
        clearTimeout(timer);
        watch.visible = visible;
        if (visible && !document.hidden) timer = setTimeout(() => {
          watch.stop();
          if (reported.size >= REMEMBERED) reported.clear();
          reported.add(key);
          home.track({ type: 'impression', ...card });
        }, FOR_MS);
      },
    };
    if (typeof IntersectionObserver !== 'undefined' && !reported.has(key)) {
      if (!observer) {
        observer = new IntersectionObserver((entries) => entries.forEach(({ target, intersectionRatio }) => {
          watched.get(target)?.show(intersectionRatio >= SHARE);
        }), { threshold: SHARE });
        // A tab that is put away keeps its elements where they are.
        document.addEventListener('visibilitychange', () => watched.forEach((each) => each.show(each.visible)));
      }
      watched.set(element, watch);
      observer.observe(element);
    }
    return watch.stop;
  };
}
