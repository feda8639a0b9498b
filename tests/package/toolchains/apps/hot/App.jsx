import { HomeProvider, useRankedPage } from 'ears-only/react';
import { home } from './home.js';
import { page } from './page.js';

function Shelves() {
  const { shelves } = useRankedPage(page);
  return shelves.flatMap((shelf) => shelf.cards.map((card) => <p key={`${shelf.id} ${card.id}`} data-card={card.id}>{card.title}</p>));
}

export function App() {
  return <HomeProvider home={home}><h1>before</h1><Shelves /></HomeProvider>;
}
