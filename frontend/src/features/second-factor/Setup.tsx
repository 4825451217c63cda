/** Scan, type the first code: only then the second factor counts. */
import { Button, Group, Skeleton, Stack, Text } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { type SubmitEvent, Suspense, lazy, useState } from 'react'
import { CodeInput } from '@/components/CodeInput'
import { Secret } from '@/components/Secret'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import styles from './SecondFactor.module.css'
import { confirmSecret } from './api'

const QrCode = lazy(() => import('./QrCode'))

interface SetupProps {
  proposal: { secret: string; uri: string }
  onConfirmed: (recoveryCodes: string[]) => void
  onLeave: () => void
}

export function Setup({ proposal, onConfirmed, onLeave }: SetupProps) {
  const [code, setCode] = useState('')
  const confirm = useMutation({
    mutationFn: confirmSecret,
    onSuccess: ({ recovery_codes }) => onConfirmed(recovery_codes),
  })
  const fields = fieldErrorsOf(confirm.error)
  const general = confirm.error && Object.keys(fields).length === 0 ? sentenceOf(confirm.error) : undefined
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    confirm.mutate(code.trim())
  }
  return (
    <div className={styles.setup}>
      <Suspense fallback={<Skeleton width={200} height={200} />}>
        <QrCode text={proposal.uri} label="QR code for your authenticator app" />
      </Suspense>
      <form onSubmit={submit}>
        <Stack gap="md" maw={420}>
          <Text size="sm">
            1. Scan this with your authenticator app, or <a href={proposal.uri}>open it on this device</a>.
          </Text>
          <Secret
            label="Secret"
            value={proposal.secret.replace(/(.{4})(?=.)/g, '$1 ')}
            says="If it cannot scan, type this into it:"
          />
          <CodeInput
            label="2. The code it shows"
            description={null}
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
            error={fields.code ?? general}
          />
          <Group>
            <Button type="submit" size="sm" loading={confirm.isPending} disabled={code.trim().length < 6}>
              Turn it on
            </Button>
            <Button size="sm" variant="default" onClick={onLeave}>
              Leave it off
            </Button>
          </Group>
        </Stack>
      </form>
    </div>
  )
}
