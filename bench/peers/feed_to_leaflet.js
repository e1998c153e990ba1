// The console's feed drawn by Leaflet alone: "markers" is an element of the page for each unit, "circles" one canvas.
// Nothing else is done here: no list, no names, no signs of presence, no base map.

const kind = document.currentScript.dataset.peer;
const map = L.map("map", { preferCanvas: true }).setView([30.66, 117.49], 14);
const dot = L.divIcon({ className: "", iconSize: [9, 9], html: '<svg width="9" height="9"><circle cx="4.5" cy="4.5" r="4" fill="#2563eb"/></svg>' });
const make = { markers: (at) => L.marker(at, { icon: dot }), circles: (at) => L.circleMarker(at, { radius: 4, weight: 1 }) }[kind];
const layers = new Map();

const socket = new WebSocket(`ws://${location.host}/feed`);
socket.onopen = () => socket.send(JSON.stringify({ op: "watch", box: [-90, -180, 90, 180], follow: null }));
socket.onmessage = (event) => {
  const { op, units } = JSON.parse(event.data);
  if (op !== "full" && op !== "delta") return;
  for (const [id, lat, lon] of units) {
    const layer = layers.get(id);
    if (layer) layer.setLatLng([lat, lon]);
    else layers.set(id, make([lat, lon]).addTo(map));
  }
};

window.bench = { map, shown: () => layers.size };
