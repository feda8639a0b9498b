// Narrows the page's Content-Security-Policy before anything is fetched. Policies add up and the strictest one
// wins, so from here on the browser itself refuses every address but this origin and the one named receiver.
import { collector } from './address.js';

narrow(`connect-src 'self' ${collector.origin}`);

/** From here on the browser refuses every request of this page, its own site included. Only a new load ends it. */
export function cutOff() {
  narrow("default-src 'none'; script-src 'wasm-unsafe-eval'; worker-src blob:; img-src data:");
}

function narrow(content) {
  const meta = document.createElement('meta');
  meta.httpEquiv = 'Content-Security-Policy';
  meta.content = content;
  document.head.append(meta);
}
