// Finds and starts a headless Chromium.
import { accessSync, constants } from 'node:fs';
import { chromium } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];

/** Path of a browser, or nothing. `CHROME_PATH` names one. */
export function findBrowser() {
  return [process.env.CHROME_PATH, ...PLACES].filter(Boolean).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export function launch(executablePath = findBrowser()) {
  return chromium.launch({ executablePath, args: FLAGS, headless: true });
}
