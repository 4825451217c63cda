/** A channel while it is typed, and what is sent of it. */
import type { Severity } from '@/lib/api/types'
import type { Channel, ChannelChange } from './api'

export const CATEGORIES = ['system', 'trading', 'performance', 'security'] as const
export type Category = (typeof CATEGORIES)[number]

export interface Draft {
  name: string
  /** Empty for a channel that exists: its address stays. */
  url: string
  min_severity: Severity
  categories: Category[]
  quiet_from: string
  quiet_to: string
  time_zone: string
  level: number
  tells_resolved: boolean
  wants_digest: boolean
  is_enabled: boolean
}

export const emptyDraft = (timeZone: string): Draft => ({
  name: '',
  url: '',
  min_severity: 'warning',
  categories: [],
  quiet_from: '',
  quiet_to: '',
  time_zone: timeZone,
  level: 0,
  tells_resolved: true,
  wants_digest: true,
  is_enabled: true,
})

/** `22:00:00` as the server writes it, `22:00` as a field wants it. */
const clock = (time: string | null | undefined): string => (time ?? '').slice(0, 5)

export const draftOf = (channel: Channel): Draft => ({
  ...channel,
  url: '',
  categories: CATEGORIES.filter((each) => channel.categories.includes(each)),
  quiet_from: clock(channel.quiet_from),
  quiet_to: clock(channel.quiet_to),
})

/** What is sent; quiet hours need both ends, or there are none. */
export function settingsOf(draft: Draft): Omit<ChannelChange, 'url'> {
  const { min_severity, categories, time_zone, level, tells_resolved, wants_digest, is_enabled } = draft
  return {
    min_severity,
    categories,
    time_zone,
    level,
    tells_resolved,
    wants_digest,
    is_enabled,
    quiet_from: draft.quiet_from || null,
    quiet_to: draft.quiet_to || null,
  }
}

/** What a channel hears of, in one line. */
export function hearsOf(channel: Channel): string {
  const what = channel.categories.length === 0 ? 'everything' : channel.categories.join(', ')
  const quiet = channel.quiet_from
    ? `; quiet ${clock(channel.quiet_from)} to ${clock(channel.quiet_to)} ${channel.time_zone}`
    : ''
  const later = channel.level > 0 ? `; only when nobody acknowledges (step ${String(channel.level)})` : ''
  return `${what} from ${channel.min_severity} up${quiet}${later}`
}
