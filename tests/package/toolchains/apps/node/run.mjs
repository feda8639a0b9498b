import { createHome } from 'ears-only';
import { transcript } from './scenario.js';

console.log(JSON.stringify({ lines: await transcript(createHome) }));
