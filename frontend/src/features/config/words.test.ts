import { expect, test } from 'vitest'
import type { ConfigEntry } from '@/lib/api/types'
import { categoryName, chosen, sourceOf, sourceSentence, wayBack } from './words'

const entry = (change: Partial<ConfigEntry>): ConfigEntry => ({
  key: 'sessions.idle_minutes',
  category: 'sessions',
  scope: 'all',
  value: 45,
  default: 30,
  fallback: 30,
  source: 'stored',
  variable: 'SESSION_IDLE_MINUTES',
  description: 'A session that was not used for so long is over',
  value_schema: { type: 'integer' },
  updated_by: 'ada@example.com',
  ...change,
})

test('a category that nobody named here keeps its own name', () => {
  expect(categoryName('retention')).toBe('How long data is kept')
  expect(categoryName('brand_new')).toBe('Brand new')
})

test('the source of a value is a sentence', () => {
  expect(sourceSentence(entry({}))).toBe('Changed here by ada@example.com; without that it is 30\u2009min.')
  expect(sourceSentence(entry({ source: 'environment' }))).toContain('(SESSION_IDLE_MINUTES)')
  expect(sourceSentence(entry({ source: 'default', variable: null }))).toBe('It is as delivered.')
  expect(sourceSentence(entry({ source: 'profile' }))).toContain('profile')
})

test('a limit that was stored as delivered was not changed by anybody', () => {
  expect(sourceOf(entry({ value: 30 }))).toBe('default')
  expect(sourceOf(entry({ value: 31 }))).toBe('stored')
  expect(sourceOf(entry({ source: 'environment' }))).toBe('environment')
})

test('settings are chosen by category and source', () => {
  const all = [entry({}), entry({ key: 'log.level', category: 'log', source: 'profile' })]
  expect(chosen(all, {})).toHaveLength(2)
  expect(chosen(all, { group: 'log' }).map(({ key }) => key)).toEqual(['log.level'])
  expect(chosen(all, { source: 'stored' }).map(({ key }) => key)).toEqual(['sessions.idle_minutes'])
})

test('the way back forgets an operational setting, and gives a limit its default', () => {
  expect(wayBack(entry({}))).toEqual({ value: null, label: '30\u2009min' })
  expect(wayBack(entry({ source: 'default' }))).toBeNull()
  const limit = { key: 'max_drawdown', category: 'limits', value: null, fallback: '0.20' }
  expect(wayBack(entry(limit))).toEqual({ value: '0.20', label: '20\u2009%' })
  expect(wayBack(entry({ ...limit, value: '0.20' }))).toBeNull()
})
