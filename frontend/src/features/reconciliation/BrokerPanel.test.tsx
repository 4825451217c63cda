import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test } from 'vitest'
import type { BrokerState } from '@/lib/api/types'
import { createAccount } from '@/test/factories'
import { renderWithProviders } from '@/test/render'
import { HttpResponse, http, page, serve } from '@/test/server'
import { BrokerPanel } from './BrokerPanel'
import type { Comparison } from './lines'

const AT = '2026-03-05T14:31:00Z'
const WHY = 'MSFT: 0 held here, 7 at the broker.'
const state: BrokerState = {
  account_id: 1,
  broker: 'alpaca',
  mode: 'paper',
  state: 'up',
  reason: '',
  since: AT,
  planned_until: null,
  looked_at: AT,
  is_reconciled: true,
  differences: [WHY],
  in_flight: 0,
}
const both: Comparison = {
  account_id: 1,
  at: AT,
  lines: [
    {
      kind: 'cash',
      subject: 'USD',
      label: 'USD',
      ours: '1000',
      theirs: '1000',
      verdict: 'equal',
      explanation: '',
    },
    {
      kind: 'position',
      subject: 'MSFT',
      label: 'MSFT',
      ours: '0',
      theirs: '7',
      verdict: 'differs',
      explanation: WHY,
    },
  ],
}
const wishes: unknown[] = []
const server = serve()

function world(comparison: Comparison, broker = 'alpaca') {
  wishes.length = 0
  server.use(
    http.get('*/api/auth/me', () =>
      HttpResponse.json({ email: 'ada@example.com', scopes: ['read', 'trade'] }),
    ),
    http.get('*/api/accounts', () => page([createAccount({ broker })])),
    http.get('*/api/accounts/1/broker', () => HttpResponse.json({ ...state, broker })),
    http.get('*/api/accounts/1/comparison', () => HttpResponse.json(comparison)),
    http.get('*/api/accounts/1/reconciliations', () => page([])),
    http.post('*/api/accounts/1/reconcile', async ({ request }) => {
      wishes.push(await request.json())
      return HttpResponse.json({
        state: 'succeeded',
        result: { reports: ['7 MSFT are held at the broker.'] },
      })
    }),
  )
  renderWithProviders(<BrokerPanel />)
}

test('both books stand side by side, and a difference says why', async () => {
  world(both)
  expect(await screen.findByText('1 of 2 lines differs.')).toBeInTheDocument()
  const row = screen.getByRole('row', { name: /^MSFT/ })
  const cells = within(row).getAllByRole('cell')
  expect(cells.map((cell) => cell.textContent)).toEqual(['0', '7', '+7', `Differs${WHY}`])
})

test('the broker’s side is taken over only after a second question', async () => {
  world(both)
  await userEvent.click(await screen.findByRole('button', { name: 'The broker is right…' }))
  expect(wishes).toEqual([])
  await userEvent.click(await screen.findByRole('button', { name: 'Take it over' }))
  expect(await screen.findByText('7 MSFT are held at the broker.')).toBeInTheDocument()
  expect(wishes).toEqual([{ dry_run: false, adopt: true }])
})

test('books that were never compared say so, and can be', async () => {
  world({ account_id: 1, at: null, lines: [] })
  expect(await screen.findByText(/were not compared yet/)).toBeInTheDocument()
  await userEvent.click(screen.getByRole('button', { name: 'Reconcile now' }))
  expect(await screen.findByText('Done:')).toBeInTheDocument()
  expect(wishes).toEqual([{ dry_run: false, adopt: false }])
})

test('on paper there is nothing to compare', async () => {
  world(both, 'paper')
  expect(await screen.findByText(/there is nothing to compare/)).toBeInTheDocument()
  expect(screen.queryByRole('button')).not.toBeInTheDocument()
})
