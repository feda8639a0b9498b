// Whose Home this is: the one who looks, or a simulated listener of the demo world.
import { addressWith, listener, step, world } from './address.js';
import { cover } from './art.js';
import { h } from './dom.js';
import { icon } from './icons.js';

/** Listeners that can be chosen; any other by its address. */
const OFFERED = [1, 2, 3, 4, 5, 6];
/** Days of the fast-forward. */
export const MONTH = 30;

/** Fills the row above the shelves. */
export function createPeople(root) {
  const entry = (name, number, more = {}) => h('a', {
    href: addressWith({ listener: number, step: number === undefined ? undefined : 0, seed: number === undefined ? more.seed : world }, '').href,
    class: 'person', 'aria-current': number === listener ? 'page' : undefined, data: { listener: number ?? '' },
  }, h('img', { src: cover({ id: `listener:${number ?? 'you'}`, kind: 'artist', family: `person ${number ?? ''}` }).url, alt: '', width: 28, height: 28 }), h('span', {}, name));
  const offered = listener === undefined || OFFERED.includes(listener) ? OFFERED : [listener, ...OFFERED.slice(1)];
  const days = listener === undefined ? MONTH : step + MONTH;
  root.append(
    h('div', { class: 'people-row' }, entry('You'), offered.map((number) => entry(`Listener ${number}`, number))),
    h('a', { class: 'button accent forward', id: 'forward', href: addressWith({ listener: listener ?? OFFERED[0], step: days, seed: world }, '#learning').href },
      icon('forward', true), `Fast-forward ${MONTH} days`),
  );
}

/** The place of the shelves while a listener's days go by. `cancel` stops them. */
export function createWaiting(root, cancel) {
  const bar = h('progress', { max: Math.max(1, step), value: 0, 'aria-label': 'Days' });
  const text = h('p', { class: 'big' }, step === 0 ? 'Before the first day' : 'Day 0');
  const box = h('div', { class: 'days', role: 'status' }, text, bar,
    h('p', { class: 'hint' }, 'A simulated listener comes to Home twice a day. What they play teaches this device, as yours would.'),
    h('button', { type: 'button', class: 'button', id: 'cancel-days', onclick: cancel }, 'Cancel'));
  // Quick ones are over before a word about them could be read.
  const timer = setTimeout(() => root.append(box), 150);
  return {
    day(day) {
      bar.value = day;
      text.textContent = `Day ${day} of ${step}`;
    },
    done() {
      clearTimeout(timer);
      box.remove();
    },
  };
}
