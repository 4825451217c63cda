/** A button for what cannot be undone: says what will happen, and asks once more. */
import { Button, type ButtonProps, Group, Modal, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import type { ReactNode } from 'react'

interface ConfirmButtonProps extends Pick<ButtonProps, 'size' | 'variant' | 'color' | 'disabled'> {
  children: ReactNode
  /** Asked in the dialog's title. */
  question: string
  /** What follows, in sentences. */
  consequence: ReactNode
  /** The word on the button that does it. */
  confirm: string
  isBusy?: boolean
  label?: string
  onConfirm: () => void
}

export function ConfirmButton({
  children,
  question,
  consequence,
  confirm,
  isBusy = false,
  label,
  onConfirm,
  ...look
}: ConfirmButtonProps) {
  const [isOpen, dialog] = useDisclosure(false)
  return (
    <>
      <Button variant="default" {...look} loading={isBusy} aria-label={label} onClick={dialog.open}>
        {children}
      </Button>
      <Modal opened={isOpen} onClose={dialog.close} title={question}>
        <Stack gap="md">
          <Text size="sm" component="div">
            {consequence}
          </Text>
          <Group>
            <Button
              size="sm"
              color={look.color ?? 'red'}
              onClick={() => {
                dialog.close()
                onConfirm()
              }}
            >
              {confirm}
            </Button>
            <Button size="sm" variant="default" onClick={dialog.close} data-autofocus>
              Leave it
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  )
}
