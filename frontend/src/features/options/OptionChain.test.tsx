import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { HttpResponse } from 'msw'
import { expect, test, vi } from 'vitest'
import { createOption, createOptionChain } from '@/test/factories'
import { renderWithRouter } from '@/test/render'
import { http, problem, serve } from '@/test/server'
import { OptionChain } from './OptionChain'

/** A busy machine is no failure. */
const PATIENT = { timeout: 5_000 }
const PATH = '*/api/stocks/GOOG/options'
const contracts = [
  createOption({ strike: '745', type: 'call', last: 16.1, delta: 0.561 }),
  createOption({ strike: '745', type: 'put', last: 12.2, implied_volatility: null }),
  createOption({ strike: '752.5', type: 'call', bid: 11, ask: 12, implied_volatility: 0.2034 }),
]
const server = serve(
  http.get(PATH, ({ request }) => {
    const expiry = new URL(request.url).searchParams.get('expiry')
    return HttpResponse.json(createOptionChain({ items: expiry === '2016-02-19' ? [] : contracts }))
  }),
)

async function show(expiry?: string) {
  const onChange = vi.fn()
  await renderWithRouter(
    <OptionChain symbol="GOOG" accountId={1} dataset={undefined} expiry={expiry} onChange={onChange} />,
  )
  return onChange
}

const rowOf = async (strike: string) => {
  const header = await screen.findByRole('rowheader', { name: strike }, PATIENT)
  return within(header.closest('tr') as HTMLElement)
    .getAllByRole('cell')
    .map((cell) => cell.textContent)
}

vi.setConfig({ testTimeout: 20_000 })

test('shows the nearest expiry by strike, calls on the left and puts on the right', async () => {
  await show()
  expect(await screen.findByRole('region', { name: /2016-01-15/ }, PATIENT)).toBeInTheDocument()
  const low = await rowOf('745.00')
  expect(low).toHaveLength(20)
  expect(low[9]).toBe('16.10')
  expect(low[5]).toBe('0.56')
  expect(low[10]).toBe('12.20')
  expect(low[13]).toBe('–')
  const high = await rowOf('752.50')
  expect(high[9]).toBe('11.50')
  expect(high[6]).toBe('20.3\u2009%')
  expect(high[10]).toBe('')
})

test('shades what exercise would pay for', async () => {
  await show()
  const header = await screen.findByRole('rowheader', { name: '745.00' }, PATIENT)
  const cells = within(header.closest('tr') as HTMLElement).getAllByRole('cell')
  expect(cells[0]).toHaveAttribute('data-pays')
  expect(cells[10]).not.toHaveAttribute('data-pays')
})

test('another expiry is chosen by its days', async () => {
  const onChange = await show()
  await userEvent.click(await screen.findByRole('combobox', { name: 'Expiry' }, PATIENT))
  await userEvent.click(await screen.findByRole('option', { name: /2016-02-19 · 57 days/ }, PATIENT))
  expect(onChange).toHaveBeenCalledWith({ expiry: '2016-02-19' })
})

test('says how to get a chain, and which data set has one', async () => {
  const empty = createOptionChain({ at: null, expiries: [], items: [], datasets: ['import:goog'] })
  server.use(http.get(PATH, () => HttpResponse.json(empty)))
  const onChange = await show()
  expect(await screen.findByText('No option chain on GOOG here', {}, PATIENT)).toBeInTheDocument()
  await userEvent.click(screen.getByRole('combobox', { name: 'Another data set has one' }))
  await userEvent.click(await screen.findByRole('option', { name: 'import:goog' }, PATIENT))
  expect(onChange).toHaveBeenCalledWith({ dataset: 'import:goog', expiry: undefined })
})

test('says what went wrong, and offers to try again', async () => {
  server.use(http.get(PATH, () => problem(503, { detail: 'The database does not answer.' })))
  await show()
  expect(await screen.findByText(/The database does not answer/, {}, PATIENT)).toBeInTheDocument()
  expect(screen.getByRole('button', { name: 'Try again' })).toBeInTheDocument()
})
