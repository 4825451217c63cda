/** Something that is shown once: to read, and to copy. */
import { Button, CopyButton, Stack, Text } from '@mantine/core'
import styles from './Secret.module.css'

export function Secret({ value, says, label }: { value: string; says: string; label: string }) {
  return (
    <Stack gap="sm">
      <Text size="sm">{says}</Text>
      <code className={styles.secret} aria-label={label}>
        {value}
      </code>
      <CopyButton value={value}>
        {({ copied, copy }) => (
          <Button size="xs" variant="default" onClick={copy} style={{ alignSelf: 'flex-start' }}>
            {copied ? 'Copied' : 'Copy'}
          </Button>
        )}
      </CopyButton>
    </Stack>
  )
}
