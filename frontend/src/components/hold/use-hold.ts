/** An action that must be held: it happens once, after `ms`, and never by accident or key repeat. */
import { useCallback, useEffect, useRef, useState } from 'react'

export interface Hold {
  isHolding: boolean
  start: () => void
  cancel: () => void
}

export function useHold(ms: number, onDone: () => void): Hold {
  const [isHolding, setHolding] = useState(false)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const done = useRef(onDone)
  useEffect(() => {
    done.current = onDone
  }, [onDone])

  const cancel = useCallback(() => {
    clearTimeout(timer.current)
    timer.current = undefined
    setHolding(false)
  }, [])

  const start = useCallback(() => {
    // A held key repeats its keydown: only the first one counts.
    if (timer.current !== undefined) return
    setHolding(true)
    timer.current = setTimeout(() => {
      cancel()
      done.current()
    }, ms)
  }, [cancel, ms])

  useEffect(() => cancel, [cancel])
  return { isHolding, start, cancel }
}
