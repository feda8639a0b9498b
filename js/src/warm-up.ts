// A browser compiles a function when it is first called. What ranks is called while the app waits for its first page.
import type { CoreProgram } from './core.js';
import { Engine } from './engine.js';
import type { Platform } from './platform.js';
import type { HomeOptions } from './types.js';

/** Pages, each in a pause of its own: with less, loops are still as they were compiled at first. */
const PAGES = 4;
const CARDS = 250;

let begun = false;

/** Ranks pages of nobody's in the pauses of the app, once for each document, with a core that is gone afterwards. Never rejects. */
export async function warmUp(platform: Platform, program: CoreProgram, model: HomeOptions['model'], useless: () => unknown): Promise<void> {
  try {
    let engine: Engine | undefined;
    for (let page = 0; page < PAGES; page++) {
      await new Promise<void>((resolve) => platform.whenIdle(resolve));
      if (useless() || begun && !engine) return;
      begun = true;
      // Of a bundle only what all models share: it may be large.
      engine ??= new Engine((await program.instantiate()).create(model instanceof Uint8Array ? undefined : model, undefined));
      const { length } = engine.columns.given;
      const cards = Array.from({ length: CARDS }, (_, at) => {
        const id = `${page} ${at}`;
        return { id, features: new Float32Array(length).fill(at) };
      });
      engine.rank({ shelves: [{ id: 'a', cards }] }, undefined, 0, 0);
    }
  } catch {
    // The first page is slower.
  }
}
