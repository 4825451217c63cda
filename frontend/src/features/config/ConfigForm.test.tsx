import { Notifications } from '@mantine/notifications'
import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test, vi } from 'vitest'
import type { ConfigEntry } from '@/lib/api/types'
import { renderWithProviders } from '@/test/render'
import { HttpResponse, http, problem, serve } from '@/test/server'
import { ConfigForm } from './ConfigForm'

const idle: ConfigEntry = {
  key: 'sessions.idle_minutes',
  category: 'sessions',
  scope: 'all',
  value: 45,
  default: 30,
  fallback: 30,
  source: 'stored',
  variable: 'SESSION_IDLE_MINUTES',
  description: 'A session that was not used for so long is over',
  value_schema: { type: 'integer', minimum: 5, maximum: 480 },
}
const sent: unknown[] = []
const server = serve(
  http.put('*/api/config/:key', async ({ request, params }) => {
    const body = (await request.json()) as { value: unknown }
    sent.push([params.key, body])
    return HttpResponse.json({ ...idle, value: body.value ?? 30 })
  }),
)

function ask(entry: ConfigEntry) {
  sent.length = 0
  const onDone = vi.fn()
  renderWithProviders(
    <>
      <Notifications />
      <ConfigForm entry={entry} onDone={onDone} />
    </>,
  )
  return onDone
}
const save = () => userEvent.click(screen.getByRole('button', { name: 'Change it now' }))

test('a value out of bounds is refused at the field, in words, and not sent', async () => {
  const onDone = ask(idle)
  const field = screen.getByRole('textbox', { name: 'Idle session' })
  await userEvent.clear(field)
  await userEvent.type(field, '4')
  await save()
  expect(screen.getByRole('textbox', { name: 'Idle session' })).toBeInvalid()
  expect(sent).toEqual([])
  await userEvent.type(field, '0')
  await userEvent.type(screen.getByLabelText('Reason'), 'longer lunches')
  await save()
  await vi.waitFor(() => expect(onDone).toHaveBeenCalledOnce())
  expect(sent).toEqual([['sessions.idle_minutes', { value: 40, reason: 'longer lunches', scope: 'all' }]])
})

test('what was changed here can be taken back to what the environment says', async () => {
  const onDone = ask(idle)
  await userEvent.click(screen.getByRole('button', { name: 'Back to 30\u2009min' }))
  await vi.waitFor(() => expect(onDone).toHaveBeenCalledOnce())
  expect(sent).toEqual([['sessions.idle_minutes', { value: null, reason: null, scope: 'all' }]])
})

test('a choice offers its words', async () => {
  const level = { type: 'string', enum: ['DEBUG', 'INFO'] }
  ask({ ...idle, key: 'log.level', value: 'DEBUG', value_schema: level, source: 'profile' })
  await userEvent.click(screen.getByRole('combobox', { name: 'Level' }))
  await userEvent.click(await screen.findByRole('option', { name: 'INFO' }))
  await save()
  await vi.waitFor(() => expect(sent).toHaveLength(1))
  expect(sent[0]).toMatchObject(['log.level', { value: 'INFO' }])
})

test('what the server refuses is said at the field', async () => {
  server.use(
    http.put('*/api/config/:key', () =>
      problem(422, { detail: 'It must be like 100/second.', field: 'value' }),
    ),
  )
  ask({ ...idle, key: 'rates.default', value: 'x', value_schema: { type: 'string' }, source: 'default' })
  await save()
  expect(await screen.findByText('It must be like 100/second.')).toBeInTheDocument()
})

test('a share is typed in percent and sent as an exact fraction', async () => {
  const drawdown = { anyOf: [{ type: 'string' }, { type: 'null' }], minimum: 0.0001, maximum: 1 }
  ask({ ...idle, key: 'max_drawdown', category: 'limits', value: '0.2', value_schema: drawdown })
  const field = screen.getByRole('textbox', { name: 'Max drawdown' })
  await userEvent.clear(field)
  await userEvent.type(field, '12.5')
  await save()
  await vi.waitFor(() => expect(sent).toHaveLength(1))
  expect(sent[0]).toMatchObject(['max_drawdown', { value: '0.125' }])
})
