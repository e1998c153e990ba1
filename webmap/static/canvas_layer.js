// A Leaflet layer that is one canvas in a pane of its own. It is drawn a little larger than the view, so that a
// drag only moves it; it is drawn anew when the view leaves it. Subclasses give `paint(ctx, view)`.

const { L } = window;
const PADDING = 0.25; // share of the view's size on each side
const CLICKS_THROUGH = "none";

export const CanvasLayer = L.Layer.extend({
  initialize(name, zIndex) {
    this.paneName = name;
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
    this.ctx = this.canvas.getContext("2d");
    map.getPane(this.paneName).appendChild(this.canvas);
    this.redraw();
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
    this.frame = requestAnimationFrame((time) => {
      this.frame = 0;
      this.draw(time);
    });
  },

  draw(time) {
    const map = this._map;
    // During a zoom animation the canvas is being scaled; moveend follows and draws it sharp.
    if (!map || map._animatingZoom) return;
    const size = map.getSize();
    const padX = Math.round(size.x * PADDING);
    const padY = Math.round(size.y * PADDING);
    const width = size.x + 2 * padX;
    const height = size.y + 2 * padY;
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
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
  },

  onMove() {
    if (!this.view || this._map._animatingZoom) return;
    const corner = this._map.getPixelBounds().min;
    const view = this.view;
    if (view.zoom !== this._map.getZoom()) return;
    if (Math.abs(corner.x - view.left - view.padX) > view.padX || Math.abs(corner.y - view.top - view.padY) > view.padY) this.redraw();
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
