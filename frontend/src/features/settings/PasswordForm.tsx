/** A new password; every other session ends with the old one. */
import { Button, PasswordInput, Stack } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { notifyDone } from '@/components/notify'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import { changePassword } from './api'

export function PasswordForm() {
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const change = useMutation({
    mutationFn: changePassword,
    onSuccess: () => {
      setCurrent('')
      setNext('')
      notifyDone('Every other session was ended.', 'Password changed')
    },
  })
  const fields = fieldErrorsOf(change.error)
  const general = change.error && Object.keys(fields).length === 0 ? sentenceOf(change.error) : undefined
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    change.mutate({ current_password: current, new_password: next })
  }
  return (
    <form onSubmit={submit}>
      <Stack gap="sm" maw={360}>
        <PasswordInput
          label="Current password"
          autoComplete="current-password"
          value={current}
          onChange={(event) => setCurrent(event.currentTarget.value)}
          error={fields.current_password ?? general}
        />
        <PasswordInput
          label="New password"
          description="At least 12 characters"
          autoComplete="new-password"
          value={next}
          onChange={(event) => setNext(event.currentTarget.value)}
          error={fields.new_password}
        />
        <Button
          type="submit"
          loading={change.isPending}
          disabled={current === '' || next.length < 12}
          style={{ alignSelf: 'flex-start' }}
        >
          Change the password
        </Button>
      </Stack>
    </form>
  )
}
