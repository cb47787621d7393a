// What happened on the serving side: kept for the `events` command, which can wait for it.

import { EventEmitter, once } from 'node:events'

export class Journal {
  #events = []
  #news = new EventEmitter().setMaxListeners(0)

  record (kind, event) {
    this.#events.push({ ...event, kind })
    this.#news.emit('news')
  }

  // Waits until there are `count` events of this kind, and returns all of that kind.
  async wait (kind, count, filter = () => true) {
    for (;;) {
      const found = this.#events.filter(event => event.kind === kind && filter(event))
      if (found.length >= count) return found
      await once(this.#news, 'news')
    }
  }
}
