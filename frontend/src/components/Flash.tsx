/** Lights up for a moment when the value inside changes; moves nothing. */
import { type ReactNode, useEffect, useRef } from 'react'

interface FlashProps {
  /** What is compared; up and down are coloured where it is a number. */
  value: number | string | null | undefined
  children: ReactNode
}

export function Flash({ value, children }: FlashProps) {
  const element = useRef<HTMLSpanElement>(null)
  const before = useRef(value)
  useEffect(() => {
    const old = before.current
    before.current = value
    if (old === value || old === null || old === undefined) return
    const soft = Number(value) >= Number(old) ? 'var(--tw-up-soft)' : 'var(--tw-down-soft)'
    if (typeof element.current?.animate !== 'function') return
    if (window.matchMedia('(prefers-reduced-motion: reduce)').matches) return
    element.current.animate([{ backgroundColor: soft }, { backgroundColor: 'transparent' }], {
      duration: 300,
    })
  }, [value])
  return (
    <span ref={element} style={{ borderRadius: 3 }}>
      {children}
    </span>
  )
}
