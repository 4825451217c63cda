/** Arms an account for real money: says what follows, and wants its number typed. The server asks for a fresh proof. */
import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { notifyWarning } from '@/components/notify'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import type { Account } from '@/lib/api/types'
import { armAccount } from './api'
import { askFor, consequence } from './words'

export function ArmDialog({ account, onClose }: { account: Account; onClose: () => void }) {
  const client = useQueryClient()
  const [typed, setTyped] = useState('')
  const arm = useMutation({
    mutationFn: armAccount,
    onSuccess: ({ name, trading_state }) => {
      onClose()
      notifyWarning(
        trading_state === 'active'
          ? 'It may send orders for real money from now on.'
          : `Its trading is ${trading_state} until somebody resumes it.`,
        `${name} is armed`,
      )
    },
    onSettled: () => void client.invalidateQueries(),
  })
  const fields = fieldErrorsOf(arm.error)
  const other = arm.error && fields.account === undefined ? sentenceOf(arm.error) : null
  const { label, hint } = askFor(account)
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    arm.mutate({ accountId: account.id, typed: typed.trim() })
  }
  return (
    <Modal opened onClose={onClose} title={`Arm ${account.name} for real money?`}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <Text size="sm">{consequence(account)}</Text>
          <TextInput
            label={label}
            description={hint}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            error={fields.account}
            autoComplete="off"
            spellCheck={false}
            data-autofocus
          />
          {other && (
            <Text size="sm" c="var(--tw-error)" role="alert">
              {other}
            </Text>
          )}
          <Group>
            <Button
              type="submit"
              size="sm"
              color="red"
              loading={arm.isPending}
              disabled={typed.trim() === ''}
            >
              Arm for real money
            </Button>
            <Button size="sm" variant="default" onClick={onClose}>
              Leave it
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
