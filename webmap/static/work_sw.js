// The collector's page without a network: its own files, as they were when this edition of them was put here. EDITION
// and FILES stand above, written by the server (webmap/work_site.py). Nothing else is kept: tasks and positions have
// their place in the page's own store.

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(EDITION).then((cache) => cache.addAll(FILES.map((path) => new Request(path, { cache: "no-cache" })))).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const old = (names) => Promise.all(names.filter((name) => name !== EDITION).map((name) => caches.delete(name)));
  event.waitUntil(caches.keys().then(old).then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  const path = pathname === "/work/" ? "/work" : pathname;
  if (event.request.method !== "GET" || origin !== self.location.origin || !FILES.includes(path)) return;
  event.respondWith(caches.open(EDITION).then((cache) => cache.match(path)).then((found) => found ?? fetch(event.request)));
});
