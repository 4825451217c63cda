/** In place of the search: who stopped trading, when and why, and the way back. */
import { Button, Modal, Stack, Text, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { SubmitEvent } from 'react'
import { notifyDone, notifyError } from '@/components/notify'
import { resumeTrading } from '@/features/trading-engine/api'
import type { TradingStateNow } from '@/lib/api/types'
import { formatClock, plural } from '@/lib/format'
import { usePreferences } from '@/lib/preferences'
import styles from './Header.module.css'

export function HaltNotice({ trading }: { trading: TradingStateNow }) {
  const { timeZone } = usePreferences()
  const [isOpen, dialog] = useDisclosure(false)
  const client = useQueryClient()
  const resume = useMutation({
    mutationFn: resumeTrading,
    onSuccess: (outcome) => {
      dialog.close()
      notifyDone(
        outcome.unconfirmed.length === 0
          ? 'Orders may be sent again.'
          : `${plural(outcome.unconfirmed.length, 'engine has', 'engines have')} not confirmed yet.`,
        'Trading resumed',
      )
      void client.invalidateQueries()
    },
    onError: notifyError,
  })
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const reason = new FormData(event.currentTarget).get('reason')
    resume.mutate(typeof reason === 'string' && reason !== '' ? reason : 'resumed by a person')
  }
  const what = trading.state === 'halted' ? 'Trading halted' : 'Reducing only'
  return (
    <div className={styles.notice} role="alert">
      <span>
        {what}
        <span className={styles.noticeDetail}>
          {trading.actor ? ` by ${trading.actor}` : ''}
          {trading.since ? ` at ${formatClock(trading.since, timeZone)}` : ''}
          {trading.reason ? `: ${trading.reason}` : ''}
        </span>
      </span>
      <Button size="compact-xs" color="dark" variant="filled" onClick={dialog.open}>
        Resume…
      </Button>
      <Modal opened={isOpen} onClose={dialog.close} title="Resume trading">
        <form onSubmit={submit}>
          <Stack gap="md">
            <Text size="sm">
              Strategies may send orders again at once, on every account. The reason is kept in the audit
              trail.
            </Text>
            <TextInput
              name="reason"
              label="Why is it safe to resume?"
              placeholder="checked the positions"
              data-autofocus
            />
            <Button type="submit" size="sm" loading={resume.isPending}>
              Resume trading
            </Button>
          </Stack>
        </form>
      </Modal>
    </div>
  )
}
