import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App.jsx';

// Survives what is replaced, but not a reload of the page.
globalThis.lives = (globalThis.lives ?? 0) + 1;
createRoot(document.getElementById('root')).render(<StrictMode><App /></StrictMode>);
globalThis.result = {};
