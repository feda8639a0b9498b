import { createHome } from 'ears-only';
import { transcript } from './scenario.js';

transcript(createHome).then((lines) => { globalThis.result = { lines }; }, (error) => { globalThis.result = { error: String(error) }; });
