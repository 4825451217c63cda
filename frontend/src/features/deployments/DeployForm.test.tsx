import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test, vi } from 'vitest'
import type { Preview, Strategy } from '@/lib/api/types'
import { createAccount, createDeployment } from '@/test/factories'
import { renderWithProviders } from '@/test/render'
import { http, HttpResponse, page, problem, serve } from '@/test/server'
import { DeployForm } from './DeployForm'

const smaCross: Strategy = {
  id: 1,
  name: 'sma_cross',
  title: 'Sma cross',
  origin: 'built in',
  description: 'Long while the fast mean stands above the slow one.',
  active: true,
  parameters_schema: {
    type: 'object',
    properties: {
      fast: { type: 'integer', title: 'Fast', minimum: 1, maximum: 1000, default: 10, unit: 'bars' },
      slow: { type: 'integer', title: 'Slow', minimum: 2, maximum: 2000, default: 30, unit: 'bars' },
    },
  },
  defaults: { fast: 10, slow: 30 },
  lookback: 30,
  is_panel: false,
}

const preview: Preview = {
  parameters: { fast: 10, slow: 30 },
  lookback: 30,
  series: [{ symbol: 'SPY', bars: 12_240, first_opinion_at: '2026-03-05T15:00:00Z' }],
}

const server = serve(
  http.get('*/api/strategies', () => page([smaCross])),
  http.post('*/api/deployments/preview', () => HttpResponse.json(preview)),
)

function show(account = createAccount()) {
  const onDeployed = vi.fn()
  renderWithProviders(
    <DeployForm
      account={account}
      symbols={['SPY', 'IBM']}
      suggested={{ symbol: 'SPY', timeframe: '1m' }}
      strategyName="sma_cross"
      onChooseStrategy={vi.fn()}
      onDeployed={onDeployed}
    />,
  )
  return onDeployed
}

test('shows what the deployment would see', async () => {
  show()
  expect(await screen.findByText(/12 240 bars, first opinion after 30/)).toBeInTheDocument()
})

test('sends exactly what was filled in', async () => {
  const bodies: unknown[] = []
  server.use(
    http.post('*/api/deployments', async ({ request }) => {
      bodies.push(await request.json())
      expect(request.headers.get('idempotency-key')).toMatch(/^[0-9a-f]{32}$/)
      return HttpResponse.json({ deployment: createDeployment(), command: null }, { status: 202 })
    }),
  )
  const onDeployed = show()
  const fast = await screen.findByRole('textbox', { name: 'Fast' })
  await userEvent.clear(fast)
  await userEvent.type(fast, '5')
  await userEvent.click(screen.getByRole('button', { name: 'Deploy on paper' }))
  await waitFor(() => expect(onDeployed).toHaveBeenCalledOnce())
  expect(bodies).toEqual([
    {
      account_id: 1,
      strategy: 'sma_cross',
      parameters: { fast: 5, slow: 30 },
      symbols: ['SPY'],
      timeframe: '1m',
      capital: null,
      name: null,
      start: true,
    },
  ])
})

test('a value out of bounds is said at its field, at once', async () => {
  show()
  const fast = await screen.findByRole('textbox', { name: 'Fast' })
  await userEvent.clear(fast)
  await userEvent.type(fast, '5000')
  expect(await screen.findByText('Must be at most 1000.')).toBeInTheDocument()
})

test('what only the server knows stands at the field too', async () => {
  server.use(
    http.post('*/api/deployments/preview', () =>
      problem(422, { field: 'parameters.fast', detail: 'Fast must be shorter than slow.' }),
    ),
  )
  show()
  expect(await screen.findByText('Fast must be shorter than slow.')).toBeInTheDocument()
})

test('a live account says that the money is real', async () => {
  show(createAccount({ mode: 'live' }))
  expect(await screen.findByRole('button', { name: 'Deploy with real money' })).toBeInTheDocument()
})

test('a strategy that decides for all symbols at once says so, and which it needs', async () => {
  const detail = 'pairs trades exactly two symbols, not 1.'
  server.use(
    http.get('*/api/strategies', () => page([{ ...smaCross, is_panel: true }])),
    http.post('*/api/deployments/preview', () => problem(422, { field: 'symbols', detail })),
  )
  show()
  expect(await screen.findByText('All are decided together.')).toBeInTheDocument()
  expect(await screen.findByText(detail)).toBeInTheDocument()
})
