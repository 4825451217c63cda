/** Up, down, page, home, end walk the rows; Enter opens the one under the cursor. */
import { type KeyboardEvent, useState } from 'react'

const STEPS: Record<string, number> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 15,
  PageUp: -15,
  Home: -1e9,
  End: 1e9,
}

export function useRowKeys(count: number, reveal: (index: number) => void, open: (index: number) => void) {
  const [cursor, setActive] = useState<number | null>(null)
  const active = cursor !== null && cursor < count ? cursor : null

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.metaKey || event.ctrlKey || event.altKey || count === 0)
      return
    const step = STEPS[event.key]
    if (step !== undefined) {
      event.preventDefault()
      const from = active ?? (step > 0 ? -1 : count)
      const next = Math.max(0, Math.min(count - 1, from + step))
      setActive(next)
      reveal(next)
    } else if ((event.key === 'Enter' || event.key === ' ') && active !== null && !event.repeat) {
      event.preventDefault()
      open(active)
    }
  }
  return { active, setActive, onKeyDown }
}
