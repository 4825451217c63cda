import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test, vi } from 'vitest'
import { renderWithProviders } from '@/test/render'
import { HttpResponse, http, page, serve } from '@/test/server'
import { SessionsPanel } from './SessionsPanel'

const session = {
  id: 1,
  address: '127.0.0.1',
  user_agent: null,
  created_at: '2026-03-05T14:00:00Z',
  last_seen_at: '2026-03-05T14:30:00Z',
  expires_at: '2026-04-05T14:00:00Z',
  is_current: true,
}
const ended = vi.fn()
serve(
  http.get('*/api/sessions', () => page([session])),
  http.delete('*/api/sessions', () => {
    ended()
    return new HttpResponse(null, { status: 204 })
  }),
)

test('with one browser too, the programs that signed in can be signed out', async () => {
  renderWithProviders(<SessionsPanel />)
  await userEvent.click(await screen.findByRole('button', { name: 'Sign out everywhere else…' }))
  await userEvent.click(await screen.findByRole('button', { name: 'Sign out everywhere else' }))
  await vi.waitFor(() => expect(ended).toHaveBeenCalledOnce())
})
