import { expect, test } from 'vitest'
import type { JournalEvent } from '@/lib/api/types'
import { consequencesOf } from './causation'

const event = (seq: number, caused_by: number): JournalEvent => ({
  stream: 'account:1',
  seq,
  type: 'order_filled',
  priority: 'normal',
  occurred_at: '2026-03-05T14:00:00Z',
  recorded_at: '2026-03-05T14:00:00Z',
  caused_by,
  data: {},
})

test('each consequence stands below what caused it', () => {
  const found = consequencesOf(10, [event(11, 10), event(12, 10), event(13, 11), event(14, 13)])
  expect(found.map(({ event: { seq }, depth }) => [seq, depth])).toEqual([
    [11, 1],
    [13, 2],
    [14, 3],
    [12, 1],
  ])
})

test('an event that caused nothing has no consequences', () => expect(consequencesOf(10, [])).toEqual([]))
