/** A strip of tabs that is wider than the screen shows the chosen one. */
import { type RefObject, useEffect, useRef } from 'react'

export function useChosenInView(chosen: string): RefObject<HTMLDivElement | null> {
  const strip = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const tab = strip.current?.querySelector('[aria-selected="true"]')
    tab?.scrollIntoView({ block: 'nearest', inline: 'center' })
  }, [chosen])
  return strip
}
