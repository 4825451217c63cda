import { expect, test } from 'vitest'
import type { Channel } from './api'
import { draftOf, emptyDraft, hearsOf, settingsOf } from './draft'

const channel: Channel = {
  id: 1,
  name: 'mail',
  service: 'E-Mail',
  hint: 'mailtos://example.com',
  min_severity: 'warning',
  categories: ['trading', 'security'],
  quiet_from: '22:00:00',
  quiet_to: '07:00:00',
  time_zone: 'Europe/Berlin',
  level: 1,
  tells_resolved: true,
  wants_digest: false,
  is_enabled: true,
  created_by: 'ada@example.com',
  created_at: '2026-03-05T14:00:00Z',
  updated_at: '2026-03-05T14:00:00Z',
}

test('a channel that is opened and saved unchanged is sent as it was, without an address', () => {
  const sent = settingsOf(draftOf(channel))
  expect(sent).toEqual({
    min_severity: 'warning',
    categories: ['trading', 'security'],
    quiet_from: '22:00',
    quiet_to: '07:00',
    time_zone: 'Europe/Berlin',
    level: 1,
    tells_resolved: true,
    wants_digest: false,
    is_enabled: true,
  })
  expect(sent).not.toHaveProperty('url')
})

test('no quiet hours are null, not an empty time', () => {
  expect(settingsOf(emptyDraft('UTC'))).toMatchObject({ quiet_from: null, quiet_to: null })
})

test('what it hears of reads as a sentence', () => {
  expect(hearsOf(channel)).toBe(
    'trading, security from warning up; quiet 22:00 to 07:00 Europe/Berlin; only when nobody acknowledges (step 1)',
  )
  expect(hearsOf({ ...channel, categories: [], quiet_from: null, level: 0 })).toBe(
    'everything from warning up',
  )
})
