// What the person looks at: the selection, what is followed, the filters, and the sorted list that follows from them.

import { isSos, OFFLINE, OFF_SHIFT, ONLINE_FIX, ONLINE_NO_FIX, STALE } from "./state.js";

// Who needs a look comes first: freshly lost, then connected but not located, then long gone, then all is well.
const ATTENTION = [];
[STALE, ONLINE_NO_FIX, OFFLINE, ONLINE_FIX, OFF_SHIFT].forEach((state, rank) => (ATTENTION[state] = rank));
export const SOS = "sos";

const byName = new Intl.Collator(["zh-Hans-CN-u-co-pinyin", "en"], { numeric: true });

export class View {
  selected = null;
  hovered = null;
  following = false;
  query = "";
  team = "";
  street = "";
  states = new Set(); // empty: all
  inView = false;
  bounds = null; // of the map, set by whoever knows it: {contains(lat, lon)}
  gridName = () => "";
  #listeners = [];
  #key = "";
  #members = -1;
  #named = []; // all units by name
  #texts = new Map(); // unit id -> what a search looks through
  #filtered = [];
  #passing = new Set();
  #filters = 0;

  constructor(units) {
    this.units = units;
  }

  onChange(listener) {
    this.#listeners.push(listener);
  }

  #tell(what) {
    for (const listener of this.#listeners) listener(what);
  }

  get unit() {
    return this.selected === null ? null : this.units.all.get(this.selected) ?? null;
  }

  select(id, how = {}) {
    if (this.selected === id && !how.again) return;
    this.selected = id;
    this.following = id !== null && Boolean(how.follow);
    this.#tell({ selection: true, center: how.center ?? false });
  }

  hover(id) {
    if (this.hovered === id) return;
    this.hovered = id;
    this.#tell({ hover: true });
  }

  follow(on) {
    if (this.selected === null || this.following === on) return;
    this.following = on;
    this.#tell({ follow: true });
  }

  /** Changes filters: {query, team, street, inView}. */
  filter(changes) {
    Object.assign(this, changes);
    this.#filters += 1;
    this.#tell({ filter: true });
  }

  toggleState(state) {
    if (!this.states.delete(state)) this.states.add(state);
    this.filter({});
  }

  clear() {
    this.states.clear();
    this.filter({ query: "", team: "", street: "", inView: false });
  }

  /** Grids are called otherwise now: a search may find others. */
  renamed() {
    this.#texts.clear();
    this.#filters += 1;
  }

  get filtering() {
    return this.query !== "" || this.team !== "" || this.street !== "" || this.states.size > 0;
  }

  /** Units that pass the filters, most urgent first: what the map may draw. */
  list() {
    const key = `${this.units.version}/${this.#filters}`;
    if (key !== this.#key) {
      this.#key = key;
      const words = this.query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
      if (this.#members !== this.units.members) {
        // Comparing names is dear: thousands are sorted by name only when somebody comes, goes or is renamed.
        this.#members = this.units.members;
        this.#named = [...this.units.all.values()].sort((a, b) => byName.compare(a.name, b.name));
        this.#texts.clear();
      }
      const ranks = Array.from({ length: ATTENTION.length + 1 }, () => []);
      for (const unit of this.#named) if (this.#passes(unit, words)) ranks[isSos(unit) ? 0 : 1 + ATTENTION[unit.state]].push(unit);
      this.#filtered = ranks.flat();
      this.#passing = new Set(this.#filtered.map((unit) => unit.id));
    }
    return this.#filtered;
  }

  /** Ids of the units that pass the filters. */
  passing() {
    this.list();
    return this.#passing;
  }

  /** The list beside the map: as `list`, or only what the map shows. */
  rows() {
    const list = this.list();
    return this.inView && this.bounds ? list.filter((unit) => unit.near && this.bounds.contains(unit.lat, unit.lon)) : list;
  }

  #passes(unit, words) {
    if (this.team && unit.team !== this.team) return false;
    if (this.street && unit.street !== this.street) return false;
    if (this.states.size && !this.states.has(unit.state) && !(this.states.has(SOS) && isSos(unit))) return false;
    if (words.length === 0) return true;
    let text = this.#texts.get(unit.id);
    if (text === undefined) {
      text = `${unit.name}\n${unit.id}\n${unit.team}\n${unit.street}\n${this.gridName(unit.grid)}`.toLocaleLowerCase();
      this.#texts.set(unit.id, text);
    }
    return words.every((word) => text.includes(word));
  }
}
