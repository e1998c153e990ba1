// A Leaflet layer that is one canvas in a pane of its own. It is drawn a little larger than the view, so that a
// drag only moves it; it is drawn anew when the view leaves it. Subclasses give `paint(ctx, view)`.

const { L } = window;
// Share of the view's size on each side: what is drawn with each update is kept smaller.
const PADDING = { still: 0.25, live: 0.15 };
const EARLY = 0.6; // share of the margin that a drag may use up before it is drawn anew
const CLICKS_THROUGH = "none";

let turns = [];

/** One layer a frame, so that a drag is not held up by all of them at once. */
function inTurn(layer) {
  if (turns.includes(layer)) return;
  turns.push(layer);
  if (turns.length === 1) requestAnimationFrame(nextTurn);
}

function nextTurn(time) {
  const [layer, ...others] = turns;
  turns = others;
  if (layer._map && !layer.frame) layer.draw(time);
  if (turns.length) requestAnimationFrame(nextTurn);
}

export const CanvasLayer = L.Layer.extend({
  /** `still`: it is drawn anew when the view or the ground changes, not with the units. */
  initialize(name, zIndex, still = false) {
    this.paneName = name;
    this.still = still;
    this.zIndex = zIndex;
    this.frame = 0;
    this.view = null;
  },

  onAdd(map) {
    if (!map.getPane(this.paneName)) {
      const pane = map.createPane(this.paneName);
      pane.style.zIndex = String(this.zIndex);
      pane.style.pointerEvents = CLICKS_THROUGH;
    }
    this.canvas = L.DomUtil.create("canvas", map.options.zoomAnimation ? "leaflet-zoom-animated" : "");
    // The browser copies a canvas for every frame of the page, changed or not. A picture of what seldom changes is
    // handed over once: dragging takes half the time. What changes with each update would only be made twice.
    // Phones of some years ago cannot: they draw at once.
    const handed = this.still && typeof OffscreenCanvas === "function";
    this.shown = handed ? this.canvas.getContext("bitmaprenderer") : null;
    this.back = handed ? new OffscreenCanvas(1, 1) : this.canvas;
    this.ctx = this.back.getContext("2d");
    map.getPane(this.paneName).appendChild(this.canvas);
    this.redraw();
  },

  getPane() {
    return this._map.getPane(this.paneName);
  },

  onRemove() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.canvas.remove();
  },

  getEvents() {
    return { moveend: this.redraw, viewreset: this.redraw, resize: this.redraw, move: this.onMove, zoom: this.onZoom, zoomanim: this.onZoomAnimation };
  },

  /** Draw on the next frame: any number of calls in between is one drawing. */
  redraw() {
    if (this.frame || !this._map) return;
    this.frame = requestAnimationFrame((time) => this.draw(time));
  },

  /** Whether there is nothing to draw: an empty canvas is taken out of the picture and costs nothing. */
  blank() {
    return false;
  },

  /** Draw now; for whoever has a frame already. */
  draw(time) {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const map = this._map;
    // During a zoom animation the canvas is being scaled; moveend follows and draws it sharp.
    if (!map || map._animatingZoom) return;
    const blank = this.blank();
    if (this.canvas.hidden !== blank) this.canvas.hidden = blank;
    if (blank) return;
    const size = map.getSize();
    const padding = this.still ? PADDING.still : PADDING.live;
    const padX = Math.round(size.x * padding);
    const padY = Math.round(size.y * padding);
    const width = size.x + 2 * padX;
    const height = size.y + 2 * padY;
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.back.width !== wide || this.back.height !== high) {
      for (const canvas of new Set([this.canvas, this.back])) [canvas.width, canvas.height] = [wide, high];
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const zoom = map.getZoom();
    const corner = map.getPixelBounds().min;
    L.DomUtil.setTransform(this.canvas, map.containerPointToLayerPoint([-padX, -padY]), 1);
    this.view = { scale: 256 * 2 ** zoom, left: corner.x - padX, top: corner.y - padY, width, height, padX, padY, zoom, ratio };
    this.ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.ctx.clearRect(0, 0, width, height);
    this.paint(this.ctx, this.view, time ?? performance.now());
    this.shown?.transferFromImageBitmap(this.back.transferToImageBitmap());
  },

  onMove() {
    if (!this.view || this._map._animatingZoom) return;
    const corner = this._map.getPixelBounds().min;
    const view = this.view;
    if (view.zoom !== this._map.getZoom()) return;
    const gone = Math.max(Math.abs(corner.x - view.left - view.padX) / view.padX, Math.abs(corner.y - view.top - view.padY) / view.padY);
    if (gone > 1) this.redraw();
    else if (this.still && gone > EARLY) inTurn(this);
  },

  onZoom() {
    this.stretch(this._map.getCenter(), this._map.getZoom());
  },

  onZoomAnimation(event) {
    this.stretch(event.center, event.zoom);
  },

  /** Shows the last drawing where it belongs in another view, until it is drawn anew. */
  stretch(center, zoom) {
    if (!this.view) return;
    const scale = 2 ** (zoom - this.view.zoom);
    const corner = L.point(this.view.left, this.view.top).multiplyBy(scale);
    const origin = this._map.project(center, zoom).subtract(this._map.getSize().divideBy(2));
    L.DomUtil.setTransform(this.canvas, this._map.containerPointToLayerPoint(corner.subtract(origin)), scale);
  },
});
