import { Notifications } from '@mantine/notifications'
import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test, vi } from 'vitest'
import type { Account } from '@/lib/api/types'
import { createAccount } from '@/test/factories'
import { renderWithProviders } from '@/test/render'
import { HttpResponse, http, page, problem, serve } from '@/test/server'
import { ArmingPanel } from './ArmingPanel'

const server = serve()
const AT = '2026-03-05T14:31:00Z'
const live = (arming: Partial<NonNullable<Account['arming']>>): Account =>
  createAccount({
    id: 3,
    name: 'Real',
    broker: 'alpaca',
    mode: 'live',
    trading_state: 'halted',
    arming: { is_allowed: true, armed_at: null, armed_by: null, asks_for_number: false, ...arming },
  })

function world(account: Account, scopes = ['read', 'trade', 'admin']) {
  server.use(
    http.get('*/api/auth/me', () => HttpResponse.json({ email: 'ada@example.com', scopes })),
    http.get('*/api/accounts', () => page([createAccount(), account])),
  )
  renderWithProviders(
    <>
      <Notifications />
      <ArmingPanel />
    </>,
  )
}

test('an account is armed by typing its number, and a wrong one says so at the field', async () => {
  const typed: unknown[] = []
  world(live({}))
  server.use(
    http.post('*/api/accounts/3/arm', async ({ request }) => {
      const body = (await request.json()) as { account: string }
      typed.push(body.account)
      return body.account === '3'
        ? HttpResponse.json({
            account_id: 3,
            name: 'Real',
            armed_at: AT,
            armed_by: 'ada',
            trading_state: 'halted',
          })
        : problem(422, { detail: 'What was typed is not the account’s number.', field: 'account' })
    }),
  )
  await userEvent.click(await screen.findByRole('button', { name: 'Arm Real' }))
  const button = await screen.findByRole('button', { name: 'Arm for real money' })
  expect(button).toBeDisabled()
  expect(screen.getByText(/arming does not resume it, and it is halted now/)).toBeInTheDocument()
  const field = screen.getByLabelText('The account’s number here')
  await userEvent.type(field, '4')
  await userEvent.click(button)
  expect(await screen.findByText('What was typed is not the account’s number.')).toBeInTheDocument()
  await userEvent.clear(field)
  await userEvent.type(field, ' 3 ')
  await userEvent.click(button)
  expect(await screen.findByText('Its trading is halted until somebody resumes it.')).toBeInTheDocument()
  expect(typed).toEqual(['4', '3'])
})

test('an armed account says since when, by whom and until when, and one press disarms it', async () => {
  const disarmed = vi.fn()
  world(live({ armed_at: AT, armed_by: 'ada@example.com' }))
  server.use(
    http.post('*/api/accounts/3/disarm', () => {
      disarmed()
      return HttpResponse.json({
        account_id: 3,
        name: 'Real',
        armed_at: null,
        armed_by: null,
        trading_state: 'halted',
      })
    }),
  )
  expect(await screen.findByText(/by ada@example.com, until somebody disarms it/)).toBeInTheDocument()
  await userEvent.click(await screen.findByRole('button', { name: 'Disarm Real' }))
  expect(await screen.findByText('Real is disarmed and halted')).toBeInTheDocument()
  expect(disarmed).toHaveBeenCalledOnce()
})

test('where real money is switched off nobody can arm, and who is no admin has no button', async () => {
  world(live({ is_allowed: false }))
  expect(await screen.findByText(/set TRADEWRIGHT_LIVE_TRADING=true/)).toBeInTheDocument()
  expect(await screen.findByRole('button', { name: 'Arm Real' })).toBeDisabled()
})

test('a reader sees it and cannot press anything', async () => {
  world(live({}), ['read'])
  expect(await screen.findByText('Not armed')).toBeInTheDocument()
  expect(screen.queryByRole('button', { name: /^(Arm|Disarm)/ })).not.toBeInTheDocument()
})
