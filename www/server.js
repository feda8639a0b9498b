// The server's part of the demo: one page, in one order, the same for everybody. It knows nothing of the listener.
import { generator, hash } from './art.js';

const CARDS = 12;

/** The Home page as a server would send it. */
export function buildPage(catalogue) {
  const { artists, albums, podcasts, genres, topics } = catalogue;
  const popular = (cards) => [...cards].sort((a, b) => b.popularity - a.popularity || (a.id < b.id ? -1 : 1));
  const shuffled = (cards, name) => [...cards].map((card) => [generator(hash(`${name}|${card.id}`))(), card]).sort((a, b) => a[0] - b[0]).map(([, card]) => card);
  const of = (cards, ...families) => cards.filter(({ genre }) => families.includes(genre));

  const shelf = (id, kind, title, cards) => ({ id, kind, title, cards: cards.slice(0, CARDS) });
  const mood = (id, title, families, withShows = []) => shelf(id, 'editorial', title, interleave(
    shuffled(of(albums, ...families), id), shuffled(of(artists, ...families), id), shuffled(of(podcasts, ...withShows), id)));
  const more = ({ id, name }) => shelf(`genre:${id}`, 'more_like', `More in ${name}`, interleave(popular(of(artists, id)), popular(of(albums, id))));
  const topic = ({ id, name }) => shelf(`topic:${id}`, 'recommended', `Podcasts: ${name}`, popular(of(podcasts, id)));

  const moods = MOODS.map(({ id, title, families, shows }) => mood(id, title, families, shows)).filter(({ cards }) => cards.length >= 6);
  const genreShelves = popularFirst(genres, artists).map(more).filter(({ cards }) => cards.length >= 6);
  const topicShelves = popularFirst(topics, podcasts).map(topic).filter(({ cards }) => cards.length >= 6);

  return {
    id: 'home',
    shelves: weave([
      [shelf('popular', 'popular', 'Popular right now', interleave(popular(albums), popular(artists)))],
      [shelf('mixes', 'made_for_you', 'Mixes to start with', catalogue.mixes)],
      moods.slice(0, 1),
      [shelf('fresh', 'fresh', 'Fresh on the shelves', shuffled(albums, 'fresh'))],
      [shelf('shows', 'popular', 'Podcasts people finish', popular(podcasts))],
    ], genreShelves.slice(0, 12), interleave(moods.slice(1), topicShelves.slice(0, 4))),
  };
}

const MOODS = [
  { id: 'morning-commute', title: 'Morning commute', families: ['pop', 'alternative', 'electronic'], shows: ['news', 'technology'] },
  { id: 'deep-focus', title: 'Deep focus', families: ['ambient', 'classical'] },
  { id: 'dinner', title: 'Dinner with friends', families: ['soul', 'jazz', 'brazilian', 'latin'] },
  { id: 'long-drive', title: 'A long drive', families: ['rock', 'country', 'blues', 'reggae'], shows: ['stories', 'history'] },
  { id: 'late', title: 'Late, with the lights low', families: ['jazz', 'soul', 'ambient', 'chanson'] },
];

function popularFirst(families, cards) {
  const weight = (id) => cards.filter(({ genre }) => genre === id).reduce((sum, { popularity }) => sum + popularity, 0);
  return [...families].sort((a, b) => weight(b.id) - weight(a.id) || (a.id < b.id ? -1 : 1));
}

/** One of each list in turn, until all are used up. */
function interleave(...lists) {
  const out = [];
  for (let i = 0; i < Math.max(...lists.map((list) => list.length)); i += 1) {
    for (const list of lists) if (i < list.length) out.push(list[i]);
  }
  return out;
}

/** The opening shelves, then two genre shelves for each other one. */
function weave(opening, genres, others) {
  const out = opening.flat();
  while (genres.length > 0 || others.length > 0) out.push(...genres.splice(0, 2), ...others.splice(0, 1));
  return out;
}
