import Shelves from './shelves.js';

export default function Page() {
  return <Shelves />;
}
