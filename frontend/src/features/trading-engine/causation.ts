/** What followed from an event, as a tree: each below what caused it. */
import type { JournalEvent } from '@/lib/api/types'

export interface Consequence {
  event: JournalEvent
  /** 1: caused directly. */
  depth: number
}

/** `descendants` come in the order of the stream; a cause always comes before what it caused. */
export function consequencesOf(root: number, descendants: readonly JournalEvent[]): Consequence[] {
  const children = new Map<number, JournalEvent[]>()
  for (const event of descendants) {
    const cause = event.caused_by ?? root
    children.set(cause, [...(children.get(cause) ?? []), event])
  }
  const found: Consequence[] = []
  const walk = (seq: number, depth: number) => {
    for (const event of children.get(seq) ?? []) {
      found.push({ event, depth })
      walk(event.seq, depth + 1)
    }
  }
  walk(root, 1)
  return found
}
