// Sound and vibration. Browsers make no sound before a finger has touched the page: the first touch wakes it.

const PATTERNS = {
  offer: { notes: [[880, 0, 0.16], [1175, 0.2, 0.16], [1568, 0.4, 0.32]], every: 1600, shake: [300, 120, 300, 120, 500] },
  help: { notes: [[988, 0, 0.24], [659, 0.26, 0.24], [988, 0.52, 0.24], [659, 0.78, 0.24]], every: 1400, shake: [600, 200, 600] },
  note: { notes: [[784, 0, 0.14], [1047, 0.16, 0.2]], every: 0, shake: [160] },
};

export class Alarm {
  #audio = null;
  #ringing = new Map(); // name -> timer
  rung = 0; // how often something sounded, for whoever wonders

  constructor() {
    for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => this.#wake(), { capture: true });
  }

  /** Whether a sound would be heard. */
  get awake() {
    return this.#audio?.state === "running";
  }

  #wake() {
    const Audio = window.AudioContext ?? window.webkitAudioContext;
    if (!Audio) return;
    this.#audio ??= new Audio();
    if (this.#audio.state === "suspended") this.#audio.resume();
  }

  /** Again and again until it is quiet; what rings already goes on. */
  ring(name) {
    if (this.#ringing.has(name)) return;
    this.#ringing.set(name, setInterval(() => this.once(name), PATTERNS[name].every));
    this.once(name);
  }

  quiet(name) {
    if (!this.#ringing.has(name)) return;
    clearInterval(this.#ringing.get(name));
    this.#ringing.delete(name);
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(0);
  }

  once(name) {
    const { notes, shake } = PATTERNS[name];
    this.rung += 1;
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(shake);
    if (!this.awake) return;
    const audio = this.#audio;
    for (const [pitch, at, length] of notes) {
      const [tone, gain] = [audio.createOscillator(), audio.createGain()];
      const start = audio.currentTime + at;
      tone.type = "square";
      tone.frequency.value = pitch;
      gain.gain.setValueAtTime(0.0001, start);
      gain.gain.exponentialRampToValueAtTime(0.5, start + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.0001, start + length);
      tone.connect(gain).connect(audio.destination);
      tone.start(start);
      tone.stop(start + length + 0.05);
    }
  }
}
