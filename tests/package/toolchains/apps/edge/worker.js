// Cloudflare's runtime: a Home made where a worker begins, which may start no timer and fetch nothing there, and one for a request.
import { createHome } from 'ears-only';
import { probe } from './probe.js';

const early = createHome();

export default {
  async fetch() {
    const found = await probe();
    for (const [what, answer] of Object.entries(await probe({ storage: 'memory' }))) found[`told to rank: ${what}`] = answer;
    const { state, reason } = await early.ready;
    found['made before the first request'] = `${state} ${reason}` === 'degraded server' || `${state} ${reason}`;
    found.source = early.rankSync({ shelves: [{ id: 's', cards: [{ id: 'x' }] }] }).source === 'baseline';
    return Response.json({ found });
  },
};
