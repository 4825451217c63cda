/** In place of the search: who stopped trading, when and why, and the way back. */
import { Button, Modal, Stack, Text, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { SubmitEvent } from 'react'
import { notifyDone, notifyError } from '@/components/notify'
import { resumeTrading } from '@/features/trading-engine/api'
import type { Account } from '@/lib/api/types'
import { formatClock, plural } from '@/lib/format'
import { usePreferences } from '@/lib/preferences'
import type { Held } from '@/lib/trading-state'
import styles from './Header.module.css'

/** Of an account of real money that is not armed nothing can be resumed. */
const isUnarmed = (account: Account | null): boolean => Boolean(account?.arming && !account.arming.armed_at)

export function HaltNotice({ held, account }: { held: Held; account: Account | null }) {
  const { timeZone } = usePreferences()
  const [isOpen, dialog] = useDisclosure(false)
  const client = useQueryClient()
  const resume = useMutation({
    mutationFn: (reason: string) => resumeTrading(reason, held.isOwn ? account?.id : undefined),
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
  const whose = held.isOwn && account ? ` of ${account.name}` : ''
  const what = held.state === 'halted' ? `Trading${whose} halted` : `Reducing only${whose}`
  return (
    <div className={styles.notice} role="alert">
      <span>
        {what}
        <span className={styles.noticeDetail}>
          {held.actor ? ` by ${held.actor}` : ''}
          {held.since ? ` at ${formatClock(held.since, timeZone)}` : ''}
          {held.reason ? `: ${held.reason}` : ''}
        </span>
      </span>
      {held.isOwn && isUnarmed(account) ? (
        <Button component={Link} to="/trading-engine" size="compact-xs" color="dark" variant="filled">
          Arm it…
        </Button>
      ) : (
        <Button size="compact-xs" color="dark" variant="filled" onClick={dialog.open}>
          Resume…
        </Button>
      )}
      <Modal opened={isOpen} onClose={dialog.close} title="Resume trading">
        <form onSubmit={submit}>
          <Stack gap="md">
            <Text size="sm">
              Strategies may send orders again at once, on{' '}
              {held.isOwn && account ? `the account ${account.name}` : 'every account'}. The reason is kept in
              the audit trail.
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
