// What the address of the page decides, so that any state can be linked.
//   ?seed=7                    the same draws on every load
//   ?clock=2026-03-02T07:40Z   a clock that stands still and moves only by what is done in the demo
//   ?collector=URL             who receives the records; without it, `collect` beside this page

const query = new URLSearchParams(location.search);

const number = Number(query.get('seed') ?? NaN);
export const seed = Number.isSafeInteger(number) && number >= 0 ? number : undefined;

const fixed = Date.parse(query.get('clock') ?? '');
export const fixedClock = Number.isNaN(fixed) ? undefined : fixed;

export const collector = receiver();

function receiver() {
  const beside = new URL('collect', document.baseURI);
  const named = query.get('collector');
  if (!named) return beside;
  try {
    const url = new URL(named, document.baseURI);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url : beside;
  } catch {
    return beside;
  }
}
