import { Notifications, notifications } from '@mantine/notifications'
import { act, fireEvent, screen } from '@testing-library/react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ControlOutcome } from '@/lib/api/types'
import { renderWithProviders } from '@/test/render'
import { http, HttpResponse, problem, serve } from '@/test/server'
import { EmergencyStop } from './EmergencyStop'

const server = serve()
const asked: unknown[] = []

const outcome: ControlOutcome = {
  state: 'halted',
  latched_at: '2026-03-05T14:00:00Z',
  confirmed: [1],
  unconfirmed: [],
  commands: [42],
  canceled_orders: 3,
  milliseconds: 40,
}

function answerWith(change: Partial<ControlOutcome>, status = 200) {
  server.use(
    http.post('*/api/trading-engine/emergency-stop', async ({ request }) => {
      asked.push(await request.json())
      return HttpResponse.json({ ...outcome, ...change }, { status })
    }),
  )
}

const show = () =>
  renderWithProviders(
    <>
      <Notifications />
      <EmergencyStop isHalted={false} />
    </>,
  )
const button = () => screen.getByRole('button', { name: /Emergency stop/ })
const hold = async (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms))

beforeEach(() => {
  asked.length = 0
  vi.useFakeTimers({ shouldAdvanceTime: true })
})
afterEach(() => {
  vi.useRealTimers()
  notifications.clean()
})

test('a press is not enough', async () => {
  answerWith({})
  show()
  fireEvent.pointerDown(button(), { button: 0 })
  await hold(600)
  fireEvent.pointerUp(button())
  await hold(2000)
  expect(asked).toEqual([])
})

test('held for a second it stops, and says what was canceled', async () => {
  answerWith({})
  show()
  fireEvent.pointerDown(button(), { button: 0 })
  await hold(1100)
  expect(await screen.findByText(/3 working orders canceled/)).toBeInTheDocument()
  expect(asked).toEqual([{ reason: 'emergency stop in the browser', flatten: false }])
})

test('Shift+Esc held does the same, once, though the key repeats', async () => {
  answerWith({})
  show()
  for (let repeat = 0; repeat < 30; repeat += 1) {
    fireEvent.keyDown(window, { key: 'Escape', shiftKey: true, repeat: repeat > 0 })
    await hold(40)
  }
  fireEvent.keyUp(window, { key: 'Escape' })
  expect(await screen.findByText(/3 working orders canceled/)).toBeInTheDocument()
  expect(asked).toHaveLength(1)
})

test('Escape alone does nothing', async () => {
  answerWith({})
  show()
  fireEvent.keyDown(window, { key: 'Escape' })
  await hold(2000)
  expect(asked).toEqual([])
})

test('an account that has not confirmed is named', async () => {
  answerWith({ confirmed: [], unconfirmed: [1] }, 202)
  show()
  fireEvent.pointerDown(button(), { button: 0 })
  await hold(1100)
  expect(await screen.findByText(/account 1 has not confirmed/)).toBeInTheDocument()
})

test('a stop that did not get through shouts, and says what to do', async () => {
  server.use(
    http.post('*/api/trading-engine/emergency-stop', () =>
      problem(503, { detail: 'The database does not answer.' }),
    ),
  )
  show()
  fireEvent.pointerDown(button(), { button: 0 })
  await hold(1100)
  await hold(10_000)
  expect(await screen.findByText('The emergency stop was NOT confirmed')).toBeInTheDocument()
  expect(screen.getByText(/tradewright estop/)).toBeInTheDocument()
})
