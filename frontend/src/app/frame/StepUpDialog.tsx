/** Asks once more for password and code, because what was pressed needs a fresh proof. */
import { Button, Group, Modal, PasswordInput, Stack, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { CodeInput } from '@/components/CodeInput'
import { CODE_NEEDED, auth, stepUp } from '@/lib/api/auth'
import { ApiError, fieldErrorsOf, sentenceOf } from '@/lib/api/errors'

/** The dialog lies above another one: Escape must close only this. */
const alone = { 'data-mantine-stop-propagation': true }

export default function StepUpDialog({ onAnswer }: { onAnswer: (isProved: boolean) => void }) {
  const client = useQueryClient()
  const { data: me } = useQuery(auth.me())
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const prove = useMutation({
    mutationFn: stepUp,
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['auth', 'me'] })
      void client.invalidateQueries({ queryKey: ['sessions'] })
      onAnswer(true)
    },
  })
  const needsCode =
    me?.has_second_factor === true || (prove.error instanceof ApiError && prove.error.code === CODE_NEEDED)
  const fields = fieldErrorsOf(prove.error)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    prove.mutate({ password, code: code.trim() || null })
  }
  const leave = () => onAnswer(false)
  return (
    <Modal opened onClose={leave} title="Is it still you?" closeOnEscape={false} closeOnClickOutside={false}>
      <form
        onSubmit={submit}
        onKeyDown={(event) => {
          if (event.key === 'Escape') leave()
        }}
      >
        <Stack gap="md">
          <Text size="sm">
            Users, keys, secrets and live trading need a fresh proof of who you are. It holds for five
            minutes.
          </Text>
          <input type="hidden" autoComplete="username" value={me?.email ?? ''} readOnly />
          <PasswordInput
            label="Your password"
            autoComplete="current-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            error={fields.password}
            data-autofocus
            {...alone}
          />
          {needsCode && (
            <CodeInput
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
              error={fields.code}
              {...alone}
            />
          )}
          {prove.error && Object.keys(fields).length === 0 && (
            <Text size="sm" c="var(--tw-error)" role="alert">
              {sentenceOf(prove.error)}
            </Text>
          )}
          <Group>
            <Button type="submit" size="sm" loading={prove.isPending} disabled={password === ''} {...alone}>
              Go on
            </Button>
            <Button size="sm" variant="default" onClick={leave} {...alone}>
              Leave it
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
