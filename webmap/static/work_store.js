// What outlives the page: IndexedDB, as promises. Everything that a person does is here before the page says that it
// is done.
//
//   messages  numbered messages of the protocol that the server has not acknowledged; the key is the number
//   fixes     positions that have no number yet
//   files     photos and voice notes that are not wholly on the server, by their SHA-256
//   tasks     what the server has told of tasks, and what was done on this phone
//   drafts    answers and reports that are being written
//   facts     the rest, by name

const NAME = "gridbeat-work";
const STORES = { messages: { keyPath: "seq", autoIncrement: true }, fixes: { autoIncrement: true }, files: { keyPath: "sha" }, tasks: { keyPath: "id" }, drafts: { keyPath: "id" }, facts: {} };

/** Opens it; rejects where the browser keeps nothing. */
export function openStore() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      for (const [name, options] of Object.entries(STORES)) asked.result.createObjectStore(name, options);
    };
    asked.onsuccess = () => resolve(new Store(asked.result));
    asked.onerror = () => reject(asked.error);
    asked.onblocked = () => reject(new Error("blocked"));
  });
}

class Store {
  constructor(database) {
    this.database = database;
  }

  /** Runs `work` with the named stores in one piece; answers what it answers once that is on disk. */
  change(names, work) {
    return new Promise((resolve, reject) => {
      const turn = this.database.transaction(names, "readwrite");
      let answer;
      turn.oncomplete = () => resolve(answer?.result ?? answer);
      turn.onabort = turn.onerror = () => reject(turn.error ?? new Error("aborted"));
      answer = work(...names.map((name) => turn.objectStore(name)));
    });
  }

  put(name, value, key) {
    return this.change([name], (store) => (key === undefined ? store.put(value) : store.put(value, key)));
  }

  remove(name, key) {
    return this.change([name], (store) => void store.delete(key));
  }

  get(name, key) {
    return this.#ask(name, (store) => store.get(key));
  }

  all(name) {
    return this.#ask(name, (store) => store.getAll());
  }

  keys(name) {
    return this.#ask(name, (store) => store.getAllKeys());
  }

  #ask(name, question) {
    return new Promise((resolve, reject) => {
      const asked = question(this.database.transaction(name).objectStore(name));
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
  }
}
