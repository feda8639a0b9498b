// Light, dark, or what the device says.
import { h } from './dom.js';
import { icon } from './icons.js';

const KEY = 'ears-only-theme';
const ORDER = ['auto', 'light', 'dark'];
const NAMES = { auto: 'as the device', light: 'light', dark: 'dark' };

let theme = read();
apply();

function read() {
  try {
    const stored = localStorage.getItem(KEY);
    return ORDER.includes(stored) ? stored : 'auto';
  } catch {
    return 'auto';
  }
}

function apply() {
  document.documentElement.dataset.theme = theme;
}

/** A button that goes through the three. */
export function themeButton() {
  const button = h('button', { type: 'button', class: 'round', id: 'theme', onclick: () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // It holds until the page is left.
    }
    apply();
    draw();
  } });
  const draw = () => {
    button.replaceChildren(icon(theme));
    const label = `Theme: ${NAMES[theme]}`;
    button.setAttribute('aria-label', label);
    button.title = label;
  };
  draw();
  return button;
}
