// The package without storage, as the others are.
import { homeFor } from './ours.js';

export const start = (model) => homeFor(model, 'memory');
