// Where the map looks: what to ask the server for, following, the home view, and the pointer over units.

import { t } from "./i18n.js";
import { plain } from "./labels.js";

const { L } = window;
const NAMED = 8; // names of a group under the pointer
const WATCH_MS = 250; // after the last movement
const AHEAD_MS = 150; // at most so often while the map is being moved out of what is watched
const WATCH_PAD = 0.3; // share of the view asked for beyond its edges
const WATCH_NEAR = 0.15; // so near to the edge of it more is asked for
const STREET = 15.5;
const INSEPARABLE = 24; // pixels at the nearest zoom
const TOO_WIDE = 4; // ask anew when the watched box is that many times the view

export class MapView {
  #watched = null;
  #timer = 0;
  #asked = 0; // when the last question on the way was
  #touched = false;

  constructor(parts) {
    Object.assign(this, parts); // {map, view, units, grids, prefs, unitsLayer, onWatch, onMoved, onPick, first: {click(event), pointer(point)}: what comes before units}
    const { map } = this;
    const kept = this.prefs.get("view");
    if (Array.isArray(kept) && kept.length === 3 && kept.every(Number.isFinite)) {
      map.setView([kept[0], kept[1]], kept[2], { animate: false });
      this.#touched = true;
    }
    this.#bounds();
    map.on("moveend", () => this.#moved());
    map.on("move", () => this.#ahead());
    map.on("dragstart", () => {
      this.#touched = true;
      this.view.hover(null);
      this.view.follow(false);
    });
    map.on("mousemove", (event) => this.#pointer(event.containerPoint));
    map.on("mouseout", () => this.view.hover(null));
    map.on("click", (event) => {
      if (this.first.click(event)) return;
      const unit = this.unitsLayer.hit(event.containerPoint);
      const group = unit ? null : this.unitsLayer.groupAt(event.containerPoint);
      if (group) this.open(group.items.map((item) => item.unit));
      else this.onPick(unit?.id ?? null);
    });
    new ResizeObserver(() => map.invalidateSize({ pan: false })).observe(map.getContainer());
    this.#scale();
  }

  /** The box that we want to be told of: the view and a margin, as [south, west, north, east]. */
  box() {
    const b = this.map.getBounds().pad(WATCH_PAD);
    this.#watched = b;
    return [b.getSouth(), b.getWest(), b.getNorth(), b.getEast()].map((degrees) => Math.round(degrees * 1e5) / 1e5);
  }

  /** Whether a hand is moving the map. */
  get dragged() {
    return this.map.dragging.moving();
  }

  /** Shows a place in degrees, near enough to see the street. */
  place(spot) {
    const { map } = this;
    this.view.follow(false);
    this.#touched = true;
    const zoom = Math.max(map.getZoom(), STREET);
    const target = map.project(spot, zoom).add(this.#offset()).add([this.#sheet() / 2, 0]);
    map.setView(map.unproject(target, zoom), zoom, { animate: zoom === map.getZoom(), duration: 0.35 });
  }

  /** Shows several places in degrees at once, beside what lies over the map; nothing if they can be seen already. */
  places(spots) {
    const { map } = this;
    const size = map.getSize();
    const narrow = size.x < 720;
    const [right, bottom] = narrow ? [24, size.y * 0.55] : [this.#sheet() + 60, 60];
    const seen = ([lat, lon]) => {
      const at = map.latLngToContainerPoint([lat, lon]);
      return at.x > 60 && at.y > 50 && at.x < size.x - right && at.y < size.y - bottom;
    };
    if (spots.every(seen)) return;
    this.view.follow(false);
    this.#touched = true;
    map.fitBounds(L.latLngBounds(spots), { paddingTopLeft: [narrow ? 24 : 76, 56], paddingBottomRight: [right, bottom], maxZoom: STREET + 0.5, animate: false });
  }

  /** How much of the map's right side the sheet of a task or a form covers, in pixels. */
  #sheet() {
    const sheet = [...document.querySelectorAll(".task-card, .task-form")].find((one) => one.offsetWidth > 0);
    return sheet && this.map.getSize().x >= 720 ? sheet.offsetWidth + 14 : 0;
  }

  /** Shows a box [west, north, east, south] in numbers of the plane. */
  area(box) {
    this.view.follow(false);
    this.#touched = true;
    this.#show(box, false);
  }

  /** Brings the selected unit to the middle of what the card and the sheet leave free. */
  center() {
    const { unit } = this.view;
    if (!unit || !unit.near) {
      this.pending = this.view.selected;
      return;
    }
    this.pending = null;
    this.#panTo(unit);
  }

  /** Called with each frame: keeps the followed unit in the middle, and centres one that was not located before. */
  follow() {
    const { unit } = this.view;
    if (!unit?.near) return;
    if (this.pending === unit.id) this.center();
    else if (this.view.following) this.#panTo(unit);
  }

  #panTo(unit) {
    const { map } = this;
    const zoom = map.getZoom();
    const target = map.project([unit.lat, unit.lon], zoom).add(this.#offset());
    const distance = target.distanceTo(map.project(map.getCenter(), zoom));
    if (distance < 24) return;
    map.panTo(map.unproject(target, zoom), { animate: distance < 1500, duration: 0.35 });
  }

  /** On a phone the card covers the lower half: the middle of the map is not the middle of what one sees. */
  #offset() {
    const narrow = this.map.getSize().x < 720;
    return L.point(0, narrow ? this.map.getSize().y * 0.2 : 0);
  }

  /** The first look: the whole city, unless the person has a view of their own. */
  home() {
    if (!this.#touched) this.whole(false);
  }

  whole(animate = true) {
    this.#show(this.grids.box(), animate);
  }

  /** The grids of a street: who chooses it wants to see it, and is then told of it. */
  street(name) {
    if (name) this.#show(this.grids.box(name), true);
  }

  #show(box, animate) {
    if (!box) return;
    const corner = (x, y) => this.map.unproject(L.point(x, y).multiplyBy(256), 0);
    const narrow = this.map.getSize().x < 720;
    this.map.fitBounds(L.latLngBounds(corner(box[0], box[1]), corner(box[2], box[3])), {
      paddingTopLeft: narrow ? [6, 8] : [70, 12],
      paddingBottomRight: narrow ? [6, 80] : [24, 12],
      animate,
    });
  }

  #moved() {
    this.#bounds();
    this.#scale();
    const center = this.map.getCenter();
    this.prefs.set("view", [center.lat, center.lng, this.map.getZoom()].map((value) => Math.round(value * 1e6) / 1e6));
    this.onMoved();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#covered()) this.onWatch(this.box());
    }, WATCH_MS);
  }

  /** A long drag leaves the watched box before it ends: what comes into sight is asked for on the way. */
  #ahead() {
    const now = performance.now();
    if (now - this.#asked < AHEAD_MS || this.#watched?.contains(this.map.getBounds().pad(WATCH_NEAR))) return;
    this.#asked = now;
    this.onWatch(this.box());
  }

  #covered() {
    const watched = this.#watched;
    const bounds = this.map.getBounds();
    if (!watched?.contains(bounds)) return false;
    const area = (b) => (b.getNorth() - b.getSouth()) * (b.getEast() - b.getWest());
    return area(watched) < TOO_WIDE * area(bounds);
  }

  #bounds() {
    const b = this.map.getBounds();
    this.view.bounds = { contains: (lat, lon) => lat >= b.getSouth() && lat <= b.getNorth() && lon >= b.getWest() && lon <= b.getEast() };
  }

  #pointer(point) {
    if (this.dragged) return; // whoever moves the map points at nothing
    const other = this.first.pointer(point);
    const unit = other ? null : this.unitsLayer.hit(point);
    const group = other || unit ? null : this.unitsLayer.groupAt(point);
    this.view.hover(unit?.id ?? null);
    const box = this.map.getContainer();
    box.classList.toggle("over-unit", other || unit !== null || group !== null);
    const names = group ? group.items.slice(0, NAMED).map((item) => plain(item.unit.name, 18)) : [];
    const title = names.join(t("comma")) + (group && group.items.length > NAMED ? " …" : "");
    if (box.title !== title) box.title = title;
  }

  /** Zooms in until a group falls apart; one that never would is walked through, click by click. */
  open(units) {
    const { map } = this;
    const bounds = L.latLngBounds(units.map((unit) => [unit.lat, unit.lon]));
    const nearest = map.getMaxZoom();
    const apart = map.project(bounds.getSouthWest(), nearest).distanceTo(map.project(bounds.getNorthEast(), nearest));
    if (apart < INSEPARABLE || map.getZoom() >= nearest) {
      const ids = units.map((unit) => unit.id).sort();
      this.onPick(ids.find((id) => this.view.selected === null || id > this.view.selected) ?? ids[0]);
      return;
    }
    this.#touched = true;
    this.view.follow(false);
    const zoom = Math.min(nearest, Math.max(map.getZoom() + 1, map.getBoundsZoom(bounds.pad(0.5))));
    map.setView(bounds.getCenter(), zoom);
  }

  /** A ruler of a round length. */
  #scale() {
    const { map } = this;
    const y = map.getSize().y / 2;
    const metres = map.distance(map.containerPointToLatLng([0, y]), map.containerPointToLatLng([100, y]));
    const power = 10 ** Math.floor(Math.log10(metres));
    const round = [5, 2, 1].find((n) => n * power <= metres) * power;
    const scale = document.getElementById("scale");
    scale.firstElementChild.style.width = `${Math.round((100 * round) / metres)}px`;
    scale.lastElementChild.textContent = round >= 1000 ? `${round / 1000} km` : `${round} m`;
  }
}

