// The small menu of a card: one element for the whole page, opened beside the button that asked for it.
import { h } from './dom.js';
import { icon } from './icons.js';

export function createMenu({ act, marked, why }) {
  const list = h('div', { class: 'menu', role: 'menu', popover: 'auto', id: 'card-menu' });
  let opener;
  document.body.append(list);

  const item = (sign, label, run) => h('button', { type: 'button', role: 'menuitem', tabindex: '-1', onclick: () => {
    list.hidePopover();
    run();
  } }, sign, label);

  list.addEventListener('keydown', (event) => {
    const items = [...list.children];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    items[(to + items.length) % items.length].focus();
  });
  list.addEventListener('toggle', (event) => {
    opener?.setAttribute('aria-expanded', String(event.newState === 'open'));
    if (event.newState === 'closed' && (list.contains(document.activeElement) || document.activeElement === document.body)) opener?.focus({ preventScroll: true });
  });

  return (card, shelf, button) => {
    opener = button;
    const liked = marked('like', card);
    const followed = marked('follow', card);
    list.setAttribute('aria-label', `More for ${card.title}`);
    list.replaceChildren(
      item(icon('like', liked), liked ? 'Liked' : 'Like', () => act('like', card, shelf)),
      item(icon(followed ? 'followed' : 'follow'), followed ? 'Following' : 'Follow', () => act('follow', card, shelf)),
      item(icon('hide'), 'Hide', () => act('hide', card, shelf)),
      ...(card.artist ? [item(icon('unused'), `${marked('exclude', card) ? 'Use' : 'Don’t use'} ${card.artist}${marked('exclude', card) ? ' again' : ''}`, () => act('exclude', card, shelf))] : []),
      item(icon('why'), 'Why this card', () => why(shelf, card)),
    );
    list.showPopover();
    const anchor = button.getBoundingClientRect();
    const own = list.getBoundingClientRect();
    list.style.left = `${Math.max(8, Math.min(anchor.right - own.width, innerWidth - own.width - 8))}px`;
    const below = anchor.bottom + 6;
    list.style.top = `${below + own.height > innerHeight - 8 ? Math.max(8, anchor.top - own.height - 6) : below}px`;
    list.firstElementChild.focus();
  };
}
