// What published models make of a page, whatever their body: the same in every engine, to the last bit.
import { page } from '../../toolchains/apps/shared/scenario.js';

const view = new DataView(new ArrayBuffer(8));
const bits = (value) => {
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, '0');
};
const START = Date.UTC(2026, 5, 1, 9);

/** Lines of scores, deviations and propensities over three visits with each of the models; `read` gives the bytes of a file. */
export async function bodies(createHome, names, read) {
  const lines = [];
  for (const name of names) {
    let now = START;
    const home = createHome({ storage: 'memory', seed: 11, clock: () => now, model: new Uint8Array(await read(name)) });
    const { state, message } = await home.ready;
    if (state !== 'ready') throw new Error(`${name}: ${message}`);
    for (let visit = 0; visit < 3; visit++) {
      const ranked = home.rankSync(page());
      if (ranked.source !== 'policy') throw new Error(`${name}: ${ranked.error?.message}`);
      home.explain(ranked.decisionId).shelves.forEach(({ id, propensity, score, cards }) => {
        lines.push([name, visit, id, bits(propensity), bits(score), ...cards.slice(0, 6).map((card) => `${card.id} ${bits(card.score)} ${card.sd === undefined || card.sd === null ? '-' : bits(card.sd)} ${bits(card.propensity)}`)].join(' '));
      });
      for (const { id } of ranked.shelves[0].cards.slice(0, 3)) home.track({ type: 'impression', cardId: id, decisionId: ranked.decisionId, at: now += 2_000 });
      home.track({ type: 'finish', cardId: ranked.shelves[0].cards[1].id, decisionId: ranked.decisionId, msPlayed: 170_000, at: now += 200_000 });
      now += 9 * 3_600_000;
      await home.flush();
    }
    await home.close();
  }
  return lines;
}
