// Sounds of the desk, made here: no file, no network. A browser lets a page sound only after somebody has touched it.

const TUNES = {
  // [frequency in Hz, begin and length in s]
  alarm: [[880, 0, 0.12], [660, 0.16, 0.16]],
  leader: [[880, 0, 0.12], [660, 0.16, 0.12], [880, 0.32, 0.2]],
  sos: [[1250, 0, 0.22], [900, 0.26, 0.22], [1250, 0.52, 0.22], [900, 0.78, 0.22]],
};
const LOUD = 0.16;
const SOS_MS = 1600;

export class Sounder {
  played = []; // names, for who cannot hear: a page says in words what sounds
  #context = null;
  #ringing = 0;

  constructor(muted = () => false) {
    this.muted = muted;
    const wake = () => this.#wake();
    for (const event of ["pointerdown", "keydown"]) document.addEventListener(event, wake, { capture: true });
  }

  /** Whether a sound would be heard now. */
  get ready() {
    return this.#context?.state === "running";
  }

  #wake() {
    try {
      this.#context ??= new AudioContext();
      if (this.#context.state === "suspended") this.#context.resume().catch(() => {});
    } catch {
      // no sound on this machine: everything is on the screen too
    }
  }

  /** An SOS is never muted. */
  play(name) {
    if (name !== "sos" && this.muted()) return;
    this.played = [...this.played.slice(-9), name];
    if (!this.ready) return;
    const context = this.#context;
    for (const [frequency, begin, length] of TUNES[name]) {
      const [tone, volume] = [context.createOscillator(), context.createGain()];
      const at = context.currentTime + begin;
      tone.type = "triangle";
      tone.frequency.value = frequency;
      volume.gain.setValueAtTime(0, at);
      volume.gain.linearRampToValueAtTime(LOUD, at + 0.015);
      volume.gain.setValueAtTime(LOUD, at + length - 0.03);
      volume.gain.linearRampToValueAtTime(0, at + length);
      tone.connect(volume).connect(context.destination);
      tone.start(at);
      tone.stop(at + length);
    }
  }

  /** Rings until it is told to stop. */
  ring(on) {
    if (on === (this.#ringing !== 0)) return;
    clearInterval(this.#ringing);
    this.#ringing = on ? setInterval(() => this.play("sos"), SOS_MS) : 0;
    if (on) this.play("sos");
  }

  get ringing() {
    return this.#ringing !== 0;
  }
}
