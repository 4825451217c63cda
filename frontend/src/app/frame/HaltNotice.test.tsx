import { Notifications, notifications } from '@mantine/notifications'
import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, expect, test } from 'vitest'
import type { Account } from '@/lib/api/types'
import type { Held } from '@/lib/trading-state'
import { createAccount } from '@/test/factories'
import { renderWithRouter } from '@/test/render'
import { HttpResponse, http, serve } from '@/test/server'
import { HaltNotice } from './HaltNotice'

const asked: unknown[] = []
afterEach(() => notifications.clean())
serve(
  http.post('*/api/trading-engine/resume', async ({ request }) => {
    asked.push(await request.json())
    return HttpResponse.json({
      state: 'active',
      confirmed: [1],
      unconfirmed: [],
      commands: [],
      milliseconds: 4,
    })
  }),
)
const held: Held = { state: 'halted', reason: 'news', actor: 'ada', since: null, isOwn: true }
const show = (account: Account, change: Partial<Held> = {}) =>
  renderWithRouter(
    <>
      <Notifications />
      <HaltNotice held={{ ...held, ...change }} account={account} />
    </>,
  )
async function resume() {
  asked.length = 0
  await userEvent.click(screen.getByRole('button', { name: 'Resume…' }))
  await userEvent.type(await screen.findByLabelText('Why is it safe to resume?'), 'looked')
  await userEvent.click(screen.getByRole('button', { name: 'Resume trading' }))
  await screen.findByText('Trading resumed')
}

test('what holds one account is resumed for that account alone', async () => {
  await show(createAccount({ name: 'Second' }))
  expect(screen.getByRole('alert')).toHaveTextContent('Trading of Second halted by ada: news')
  await resume()
  expect(asked).toEqual([{ reason: 'looked', account_id: 1 }])
})

test('what holds all is resumed for all', async () => {
  await show(createAccount(), { isOwn: false })
  expect(screen.getByRole('alert')).toHaveTextContent('Trading halted by ada: news')
  await resume()
  expect(asked).toEqual([{ reason: 'looked', account_id: null }])
})

test('real money that is not armed is armed, not resumed', async () => {
  const arming = { is_allowed: true, armed_at: null, armed_by: null, asks_for_number: true }
  await show(createAccount({ name: 'Real', mode: 'live', arming }))
  expect(screen.getByRole('link', { name: 'Arm it…' })).toHaveAttribute('href', '/trading-engine')
  expect(screen.queryByRole('button', { name: 'Resume…' })).not.toBeInTheDocument()
})
