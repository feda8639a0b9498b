import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { HomeProvider, useRankedPage, useStatus } from 'ears-only/react';
import { check, open, page } from './page.js';

const home = open();
const act = {};

function Shelves({ mark }) {
  // Made again on each render, as apps do.
  const { shelves, seen, refresh } = useRankedPage({
    ...page, shelves: page.shelves.map((shelf) => ({ ...shelf, cards: shelf.cards.map((card) => ({ ...card, title: card.title + mark })) })),
  });
  act.refresh = refresh;
  return shelves.map((shelf) => (
    <section key={shelf.id}>
      <h2>{shelf.title}</h2>
      {shelf.cards.map((card) => <span key={card.id} data-card={card.id} ref={seen(shelf.id, card.id)}>{card.title}</span>)}
    </section>
  ));
}

function App() {
  const [mark, setMark] = useState('');
  const [here, setHere] = useState(true);
  act.rerender = () => setMark('*');
  act.leave = () => setHere(false);
  act.enter = () => setHere(true);
  const { state } = useStatus();
  return <><p>{state}</p>{here && <Shelves mark={mark} />}</>;
}

home.ready.then(async () => {
  createRoot(document.getElementById('root')).render(<StrictMode><HomeProvider home={home}><App /></HomeProvider></StrictMode>);
  await new Promise((drawn) => { setTimeout(drawn, 100); });
  return check({ home, refresh: () => act.refresh(), ...act });
}).then((found) => { globalThis.result = { found }; }, (error) => { globalThis.result = { error: String(error) }; });
