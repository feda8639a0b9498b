// A live list of the requests this page has sent, from the browser's own resource timing.

export function watchRequests() {
  const list = [];
  const listeners = new Set();
  new PerformanceObserver((entries) => {
    for (const { name, initiatorType, startTime, transferSize } of entries.getEntries()) {
      if (!/^https?:/.test(name)) continue;
      list.push({ url: new URL(name), by: initiatorType, startTime, size: transferSize });
    }
    for (const listener of listeners) listener();
  }).observe({ type: 'resource', buffered: true });
  return { list, subscribe: (listener) => listeners.add(listener) };
}
