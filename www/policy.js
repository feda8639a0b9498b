// Narrows the page's Content-Security-Policy before anything is fetched. Policies add up and the strictest one
// wins, so from here on the browser itself refuses every address but this origin and the one named receiver.
import { collector } from './address.js';

const meta = document.createElement('meta');
meta.httpEquiv = 'Content-Security-Policy';
meta.content = `connect-src 'self' ${collector.origin}`;
document.head.append(meta);
