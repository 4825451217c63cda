import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test, vi } from 'vitest'
import { renderWithRouter } from '@/test/render'
import { HttpResponse, http, page, serve } from '@/test/server'
import { BackupsPanel } from './BackupsPanel'
import type { Backup } from './api'

const backup: Backup = {
  id: 12,
  path: 'backups/one.backup',
  status: 'finished',
  size_bytes: 2048,
  is_encrypted: true,
  started_at: '2026-03-05T06:30:00Z',
  finished_at: '2026-03-05T06:30:09Z',
  rows: 100,
  details: {},
  verified_at: null,
  checked_at: null,
  check_error: null,
  restore_seconds: null,
  copied_to: null,
}
const proved = vi.fn()
const server = serve(
  http.post('*/api/backups/:id/verify', ({ params }) => {
    proved(params.id)
    return HttpResponse.json({}, { status: 202 })
  }),
)

test('the only backup, never proved, can be proved', async () => {
  server.use(http.get('*/api/backups', () => page([backup])))
  await renderWithRouter(<BackupsPanel />)
  expect(await screen.findByText('No proof yet')).toBeInTheDocument()
  await userEvent.click(screen.getByRole('button', { name: 'Prove it: backup 12' }))
  await vi.waitFor(() => expect(proved).toHaveBeenCalledWith('12'))
})

test('one that was tried is proved again; one that failed has nothing to prove', async () => {
  const failed = { ...backup, id: 13, status: 'failed' as const, error: 'The disk is full.' }
  server.use(http.get('*/api/backups', () => page([{ ...backup, checked_at: backup.finished_at }, failed])))
  await renderWithRouter(<BackupsPanel />)
  expect(await screen.findByText('The disk is full.')).toBeInTheDocument()
  const buttons = screen.getAllByRole('button', { name: /^Prove it/ })
  expect(buttons.map((button) => button.textContent)).toEqual(['Prove it again'])
})
