import { createHome } from 'ears-only';
import { transcript } from '../../scenario.js';
import { page } from '../../page.js';

export const dynamic = 'force-dynamic';

export async function GET() {
  const home = createHome();
  const ranked = await home.rank(page);
  return Response.json({
    lines: await transcript(createHome), state: home.status.state, reason: home.status.reason, source: ranked.source,
    same: String(ranked.shelves.map(({ id }) => id)) === String(page.shelves.map(({ id }) => id)),
  });
}
