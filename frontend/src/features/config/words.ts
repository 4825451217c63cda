/** What kinds of settings are called, and where a value comes from. */
import type { Tone } from '@/components/Badge'
import type { ConfigEntry } from '@/lib/api/types'
import { showValue } from '@/lib/config-value'
import { formatName } from '@/lib/format'

const CATEGORIES: Record<string, string> = {
  limits: 'Risk limits',
  alerts: 'Alerts',
  log: 'Log',
  sessions: 'Sessions',
  rates: 'Rate limits',
  backups: 'Backups',
  retention: 'How long data is kept',
  monitoring: 'Monitoring',
  quality: 'Data quality',
  notifications: 'Notifications',
}

/** A category that this page has not heard of is shown under its own name. */
export const categoryName = (category: string): string => CATEGORIES[category] ?? formatName(category)

export const SOURCES: Record<ConfigEntry['source'], { label: string; tone: Tone }> = {
  stored: { label: 'Changed here', tone: 'info' },
  environment: { label: 'Environment', tone: 'warning' },
  profile: { label: 'Profile', tone: 'neutral' },
  default: { label: 'Default', tone: 'neutral' },
}

/** Where the value comes from, and what would be without it, in a sentence. */
export function sourceSentence(entry: ConfigEntry): string {
  const { key, fallback, variable, updated_by } = entry
  switch (sourceOf(entry)) {
    case 'stored': {
      const by = updated_by ? ` by ${updated_by}` : ''
      return `Changed here${by}; without that it is ${showValue(key, fallback)}.`
    }
    case 'environment':
      return `Said by the environment${variable ? ` (${variable})` : ''}. A value given here counts more.`
    case 'profile':
      return 'Decided by the profile, development or production. A value given here counts more.'
    case 'default':
      return variable ? `It is as delivered. ${variable} could say it too.` : 'It is as delivered.'
  }
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** Where a value comes from, for people: limits are stored at the first start, which changes nothing. */
export const sourceOf = ({ source, value, fallback }: ConfigEntry): ConfigEntry['source'] =>
  source === 'stored' && isSame(value, fallback) ? 'default' : source

/** Those of a category and from a source; in the order of the list. */
export const chosen = (
  entries: readonly ConfigEntry[],
  { group, source }: { group?: string | undefined; source?: string | undefined },
): ConfigEntry[] =>
  entries.filter(
    (entry) =>
      (group === undefined || entry.category === group) &&
      (source === undefined || sourceOf(entry) === source),
  )

/** What its button sends to go back to what would be without a change, where there is one. */
export function wayBack(entry: ConfigEntry): { value: unknown; label: string } | null {
  if (entry.source !== 'stored' || isSame(entry.value, entry.fallback)) return null
  // Of a limit null would switch it off.
  const value = entry.category === 'limits' ? entry.fallback : null
  return { value, label: showValue(entry.key, entry.fallback) }
}
