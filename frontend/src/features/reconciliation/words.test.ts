import { describe, expect, it } from 'vitest'
import type { BrokerState, Command } from '@/lib/api/types'
import { foundLines, linkWords } from './words'

const up: BrokerState = {
  account_id: 1,
  broker: 'alpaca',
  mode: 'paper',
  state: 'up',
  reason: '',
  since: null,
  planned_until: null,
  looked_at: null,
  is_reconciled: true,
  differences: [],
  in_flight: 0,
}
const done = { state: 'succeeded', result: { reports: [], differences: [] } } as unknown as Command

describe('a broker', () => {
  it('is connected only when the books were compared', () => {
    expect(linkWords(up)).toBe('Connected')
    expect(linkWords({ ...up, is_reconciled: false })).toContain('not compared yet')
    expect(linkWords({ ...up, state: 'down', reason: 'nightly restart' })).toBe(
      'Not connected: nightly restart',
    )
  })
})

describe('a reconciliation', () => {
  it('says what was found, line by line', () => {
    expect(foundLines(done)).toEqual(['Our books and the broker’s agree.'])
    const result = { reports: ['7 MSFT are held.'], differences: [{ detail: 'Cash differs.' }] }
    expect(foundLines({ ...done, result })).toEqual(['7 MSFT are held.', 'Unexplained: Cash differs.'])
    expect(foundLines({ ...done, state: 'failed', result: { detail: 'slow' } })).toEqual(['slow'])
    expect(foundLines({ ...done, state: 'pending', result: null })[0]).toContain('not answered')
  })
})
