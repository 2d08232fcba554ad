// SPDX-License-Identifier: Apache-2.0

// Books in a file: written whole, and on the disk before anybody is answered. Good for an example and for a small house; a database
// does the same for a large one.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";

export class Books<T> {
  readonly file: string;
  #pages: T;

  constructor(file: string, empty: T) {
    this.file = file;
    this.#pages = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as T) : empty;
  }

  get pages(): Readonly<T> {
    return this.#pages;
  }

  /** All of a change or nothing of it: what throws leaves the books as they were. */
  change<R>(act: (pages: T) => R): R {
    const pages = structuredClone(this.#pages);
    const result = act(pages);
    const next = `${this.file}.next`;
    const handle = openSync(next, "w", 0o600);
    try {
      writeSync(handle, JSON.stringify(pages));
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(next, this.file);
    this.#pages = pages;
    return result;
  }
}
