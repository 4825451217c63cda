/** Short messages at the corner: what happened, and when it went wrong, what to do. */
import { notifications } from '@mantine/notifications'
import { describeError, sentenceOf } from '@/lib/api/errors'

const closeButtonProps = { 'aria-label': 'Close the message' }

export const notifyDone = (message: string, title?: string): void => {
  notifications.show({ message, title, color: 'teal', closeButtonProps })
}

export const notifyWarning = (message: string, title: string): void => {
  notifications.show({ message, title, color: 'yellow', autoClose: 15_000, closeButtonProps })
}

export const notifyError = (error: unknown): void => {
  notifications.show({
    title: describeError(error).title,
    message: sentenceOf(error),
    color: 'red',
    autoClose: 12_000,
    closeButtonProps,
  })
}

/** Stays until it is closed: somebody must act. */
export const notifyCritical = (message: string, title: string): void => {
  notifications.show({ message, title, color: 'red', autoClose: false, closeButtonProps })
}
