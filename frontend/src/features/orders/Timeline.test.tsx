import { screen, within } from '@testing-library/react'
import { expect, test } from 'vitest'
import { createCheck, createTimeline } from '@/test/factories'
import { renderWithProviders } from '@/test/render'
import { Timeline } from './Timeline'

test('a denial shows the check that said no, large, and by how much', () => {
  const denial = createCheck({ passed: false, value: '0.072', limit: '0.05' })
  renderWithProviders(
    <Timeline
      timeline={createTimeline({
        order: null,
        denial,
        denial_detail: 'SPY would be 7.2 % of equity.',
        checks: [denial],
      })}
    />,
  )
  const card = within(screen.getByRole('region', { name: 'Denied' }))
  expect(card.getByText('Denied: Position size')).toBeInTheDocument()
  expect(card.getByText(/over the limit/)).toHaveTextContent('2.20 % over the limit of 5.00 %')
  expect(card.getByText('SPY would be 7.2 % of equity.')).toBeInTheDocument()
})

test('every check stands with its value, its limit and how close it came', () => {
  renderWithProviders(<Timeline timeline={createTimeline()} />)
  expect(screen.getByText('1 risk check, all passed')).toBeInTheDocument()
  expect(screen.getByRole('img', { name: /Position size: 3.10/ })).toBeInTheDocument()
})

test('the signal gives its reasons and the values it saw', () => {
  renderWithProviders(<Timeline timeline={createTimeline()} />)
  expect(screen.getByText('Fast mean crossed above the slow one.')).toBeInTheDocument()
  expect(screen.getByText('sma_fast')).toBeInTheDocument()
})
