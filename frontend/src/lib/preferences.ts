/** What this person chose to see on this machine: kept in the browser, shared by every page. */
import { useSyncExternalStore } from 'react'
import type { TimeZone } from './format'

export interface Preferences {
  timeZone: TimeZone
  pnlColors: 'teal-coral' | 'blue-orange'
  accountId: number | null
  sidebarOpen: boolean
  firstMinuteDone: boolean
  /** Hidden columns by table. */
  hiddenColumns: Record<string, string[]>
}

const KEY = 'tw-preferences'
const DEFAULTS: Preferences = {
  timeZone: 'utc',
  pnlColors: 'teal-coral',
  accountId: null,
  sidebarOpen: true,
  firstMinuteDone: false,
  hiddenColumns: {},
}

function load(): Preferences {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}')
    return { ...DEFAULTS, ...(typeof stored === 'object' ? stored : {}) }
  } catch {
    return DEFAULTS
  }
}

let current = load()
const listeners = new Set<() => void>()

export const getPreferences = (): Preferences => current

export function setPreferences(change: Partial<Preferences>): void {
  current = { ...current, ...change }
  try {
    localStorage.setItem(KEY, JSON.stringify(current))
  } catch {
    // A private window may refuse storage: the choice then lasts as long as the page.
  }
  document.documentElement.setAttribute('data-pnl', current.pnlColors)
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, getPreferences)
}
